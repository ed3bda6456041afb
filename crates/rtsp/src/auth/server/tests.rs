use super::super::{Challenge, ClientAuth};
use super::*;
use crate::message::Method;

fn server(offer: Offer, basic: bool) -> ServerAuth {
    let users = [("anna".to_owned(), Secret::from("s3cret")), ("bob".to_owned(), Secret::from(""))];
    let config = Config { realm: "khi\"en".to_owned(), users: HashMap::from(users), offer, basic };
    ServerAuth::new(config, [7; 32])
}

/// The only place of these tests that needs an instant to start from.
#[allow(clippy::disallowed_methods)]
fn start() -> Instant {
    Instant::now()
}

fn values(verdict: Verdict) -> Vec<String> {
    match verdict {
        Verdict::Challenge(values) | Verdict::Stale(values) => values,
        Verdict::Ok(user) => panic!("{user} came in"),
    }
}

struct Dialogue {
    server: ServerAuth,
    peer: Peer,
    client: ClientAuth,
    now: Instant,
}

impl Dialogue {
    fn new(offer: Offer, user: &str, password: &str) -> Self {
        let server = server(offer, false);
        let peer = server.peer();
        let client = ClientAuth::new(user, &Secret::from(password));
        Self { server, peer, client, now: start() }
    }

    fn ask(&mut self) -> Verdict {
        let mut request = Request::new(Method::Describe, "rtsp://h:554/main");
        if let Some(value) = self.client.authorize(&request.method, &request.uri) {
            request.headers.push("Authorization", value);
        }
        let verdict = self.server.verify(&mut self.peer, &request, self.now);
        if let Verdict::Challenge(values) | Verdict::Stale(values) = &verdict {
            self.client.challenge(&Challenge::parse_all(values.iter().map(String::as_str)));
        }
        verdict
    }
}

#[test]
fn a_client_comes_in_with_every_offer() {
    for (offer, challenges) in [(Offer::Md5, 1), (Offer::Sha256, 1), (Offer::Both, 2)] {
        let mut d = Dialogue::new(offer, "anna", "s3cret");
        assert_eq!(values(d.ask()).len(), challenges);
        for _ in 0..3 {
            assert_eq!(d.ask(), Verdict::Ok("anna".to_owned()));
        }
        assert_eq!(d.peer.failures(), 0);
    }
}

#[test]
fn wrong_credentials_are_counted_and_never_come_in() {
    for (user, password) in [("anna", "secret"), ("eve", "s3cret"), ("", ""), ("anna", "")] {
        let mut d = Dialogue::new(Offer::Md5, user, password);
        assert!(matches!(d.ask(), Verdict::Challenge(_)));
        for failures in 1..=5 {
            assert!(!d.peer.is_exhausted());
            assert!(matches!(d.ask(), Verdict::Challenge(_)));
            assert_eq!(d.peer.failures(), failures);
        }
        assert!(d.peer.is_exhausted());
    }
}

#[test]
fn old_nonces_are_stale_and_cost_nothing() {
    let mut d = Dialogue::new(Offer::Md5, "anna", "s3cret");
    d.ask();
    d.now += NONCE_LIFE;
    assert!(matches!(d.ask(), Verdict::Ok(_)));
    d.now += Duration::from_millis(1);
    let Verdict::Stale(again) = d.ask() else { panic!("still fresh") };
    assert!(again.iter().all(|v| v.ends_with("stale=true")));
    assert!(matches!(d.ask(), Verdict::Ok(_)));
    assert_eq!(d.peer.failures(), 0);
}

#[test]
fn a_nonce_of_another_connection_or_process_is_stale() {
    let mut d = Dialogue::new(Offer::Md5, "anna", "s3cret");
    d.ask();
    d.peer = d.server.peer();
    assert!(matches!(d.ask(), Verdict::Stale(_)));
    assert!(matches!(d.ask(), Verdict::Ok(_)));
    d.server = ServerAuth::new(server(Offer::Md5, false).config, [8; 32]);
    assert!(matches!(d.ask(), Verdict::Stale(_)));
    assert!(matches!(d.ask(), Verdict::Ok(_)));
}

#[test]
fn an_overheard_answer_cannot_be_used_again() {
    let d = Dialogue::new(Offer::Md5, "anna", "s3cret");
    let (server, mut peer, mut client) = (d.server, d.peer, d.client);
    let plain = Request::new(Method::Play, "rtsp://h/main/");
    let challenge = values(server.verify(&mut peer, &plain, d.now));
    client.challenge(&Challenge::parse_all(challenge.iter().map(String::as_str)));
    let value = client.authorize(&plain.method, &plain.uri).unwrap();
    let signed = plain.clone().with("Authorization", value.clone());
    assert!(matches!(server.verify(&mut peer, &signed, d.now), Verdict::Ok(_)));
    assert!(matches!(server.verify(&mut peer, &signed, d.now), Verdict::Stale(_)));
    // Nor for another method, or another path.
    for other in [
        Request::new(Method::Pause, "rtsp://h/main/"),
        Request::new(Method::Play, "rtsp://h/other/"),
        Request::new(Method::Play, "rtsp://h/main/sub/trackID=0"),
    ] {
        let other = other.with("Authorization", value.clone());
        assert!(matches!(server.verify(&mut peer, &other, d.now), Verdict::Challenge(_)));
    }
}

#[test]
fn answers_of_the_old_kind_are_accepted_for_what_clients_sign() {
    let auth = server(Offer::Md5, false);
    let mut peer = auth.peer();
    let now = start();
    let uri = "rtsp://h:554/main/trackID=0";
    let challenge = values(auth.verify(&mut peer, &Request::new(Method::Setup, uri), now));
    let nonce = challenge[0].split('"').nth(3).unwrap().to_owned();
    for (signed, good) in [
        ("rtsp://h:554/main/trackID=0", true),
        ("rtsp://h:554/main/trackID=0/", true),
        ("rtsp://nat.example/main/", true),
        ("rtsp://h/main", true),
        ("/main/trackID=0", true),
        ("/main/", true),
        ("/mai", false),
        ("/", false),
        ("", false),
        ("/other", false),
        ("rtsp://h/main/trackID=0/deeper/still", false),
    ] {
        let answer = Answer {
            algorithm: Algorithm::Md5,
            user: "anna",
            realm: "khien",
            password: "s3cret",
            method: "SETUP",
            uri: signed,
            nonce: &nonce,
            counted: None,
            session: "",
        };
        // Blanks and missing quotes as some clients send them.
        let value = format!(
            "digest username=\"anna\" ,realm=khien,  nonce={nonce}, uri=\"{signed}\", response={}",
            answer.response().to_uppercase()
        );
        let request = Request::new(Method::Setup, uri).with("Authorization", value);
        let got = auth.verify(&mut peer, &request, now);
        assert_eq!(matches!(got, Verdict::Ok(_)), good, "{signed}: {got:?}");
    }
}

#[test]
fn basic_only_where_it_is_switched_on() {
    let sign = |pair: &str| {
        let value = format!("basic {}", STANDARD.encode(pair));
        Request::new(Method::Describe, "/x").with("Authorization", value)
    };
    let now = start();
    for (basic, pair, good) in [
        (true, "anna:s3cret", true),
        (true, "bob:", true),
        (true, "anna:s3cre", false),
        (true, "eve:s3cret", false),
        (true, "anna", false),
        (false, "anna:s3cret", false),
    ] {
        let auth = server(Offer::Md5, basic);
        let mut peer = auth.peer();
        let got = auth.verify(&mut peer, &sign(pair), now);
        assert_eq!(matches!(got, Verdict::Ok(_)), good, "{pair}");
        assert_eq!(peer.failures(), u32::from(!good));
    }
    assert_eq!(
        values(server(Offer::Both, true).verify(
            &mut server(Offer::Both, true).peer(),
            &Request::new(Method::Describe, "/x"),
            now,
        ))
        .len(),
        3
    );
}

#[test]
fn broken_authorizations_are_wrong_and_harmless() {
    let auth = server(Offer::Md5, true);
    for value in [
        "",
        "Digest",
        "Basic",
        "Basic !!!",
        "Digest username=\"anna\"",
        "Digest username=\"anna\", nonce=\"\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}x\", uri=\"/x\", response=\"\", qop=auth-int",
        "Digest username=\"anna\", nonce=\"1\", uri=\"/x\", response=\"1\", algorithm=MD5-sess2",
        "Bearer abc",
        "Digest nonce=1, Digest nonce=2",
    ] {
        let mut peer = auth.peer();
        let request = Request::new(Method::Describe, "/x").with("Authorization", value);
        assert!(
            matches!(auth.verify(&mut peer, &request, start()), Verdict::Challenge(_)),
            "{value}"
        );
        assert_eq!(peer.failures(), 1, "{value}");
    }
}

#[test]
fn only_a_few_nonces_are_remembered() {
    let mut counts = Vec::new();
    for number in 10..100 {
        assert!(count(&mut counts, number, 1));
        assert!(!count(&mut counts, number, 1));
        assert!(count(&mut counts, number, 3));
        assert!(!count(&mut counts, number, 2));
        assert!(counts.len() <= NONCES_MAX);
    }
    assert!(!count(&mut counts, 10, 9), "one that was forgotten is stale");
}

#[test]
fn the_mac_is_that_of_the_standard() {
    // RFC 4231, section 4.3, has a short key; padding it with zeros is the same key.
    let mut key = [0; 32];
    key[..4].copy_from_slice(b"Jefe");
    let mac = hmac(&key, &[b"what do ya want ", b"for nothing?"]);
    assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}
