use std::os::unix::fs::PermissionsExt;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};

use super::*;

const NOW: Wall = Wall(1_785_567_600_000_000);
const DAY_US: i64 = 86_400_000_000;

fn verifies(dir: &Path, name: &str, now: Wall) -> bool {
    let ca = CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap();
    let leaf = CertificateDer::from_pem_file(dir.join("server.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca).unwrap();
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build().unwrap();
    let seconds = u64::try_from(now.0 / 1_000_000).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let name = ServerName::try_from(name).unwrap();
    verifier.verify_server_cert(&leaf, &[], &name, &[], now).is_ok()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn a_device_that_trusts_the_ca_trusts_the_server() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("tls");
    let address: IpAddr = "192.168.7.9".parse().unwrap();
    let tls = Tls::local(&dir, &names(&["NVR.local.", "cctv.example"]), &[address], NOW).unwrap();
    assert_eq!(tls.config().alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert!(tls.ca_pem().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(!tls.ca_pem().unwrap().contains("PRIVATE"));
    for (name, good) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("::1", true),
        ("nvr.local", true),
        ("cctv.example", true),
        ("192.168.7.9", true),
        ("192.168.7.8", false),
        ("other.local", false),
    ] {
        assert_eq!(verifies(&dir, name, NOW), good, "{name}");
    }
    assert!(!verifies(&dir, "localhost", NOW.plus_us(397 * DAY_US)));
    for file in fs::read_dir(&dir).unwrap() {
        let path = file.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn the_ca_cannot_sign_for_strangers() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    Tls::local(dir, &[], &[], NOW).unwrap();
    let ca = fs::read_to_string(dir.join("ca.pem")).unwrap();
    let key = fs::read_to_string(dir.join("ca.key")).unwrap();
    for (name, good) in
        [("x.lan", true), ("10.1.2.3", true), ("bank.example", false), ("8.8.8.8", false)]
    {
        let (leaf, _) = make_leaf(&ca, &key, &names(&[name]), NOW).unwrap();
        fs::write(dir.join("server.pem"), leaf).unwrap();
        assert_eq!(verifies(dir, name, NOW), good, "{name}");
    }
}

#[test]
fn kept_until_old_or_other() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let read =
        || ["ca.pem", "server.pem"].map(|f| fs::read_to_string(dir.join(f)).unwrap_or_default());
    let private: IpAddr = "10.0.0.2".parse().unwrap();
    let public: IpAddr = "203.0.113.9".parse().unwrap();
    let start = |addresses: &[IpAddr], now| Tls::local(dir, &[], addresses, now).unwrap();
    let tls = start(&[], NOW);
    let [ca, first] = read();
    start(&[], NOW.plus_us(300 * DAY_US));
    assert_eq!(read(), [ca.clone(), first.clone()]);

    tls.refresh(NOW.plus_us(370 * DAY_US)).unwrap();
    let [same, renewed] = read();
    assert!(same == ca && renewed != first);
    let current = tls.current.0.read().unwrap().cert[0].to_vec();
    assert_eq!(current, CertificateDer::from_pem_slice(renewed.as_bytes()).unwrap().to_vec());

    start(&[private], NOW);
    let [same, moved] = read();
    assert!(same == ca && moved != renewed);
    start(&[public], NOW);
    let [other, _] = read();
    assert_ne!(other, ca);
    assert!(verifies(dir, "203.0.113.9", NOW));
    start(&[public], NOW.plus_us(3_400 * DAY_US));
    assert_ne!(read()[0], other);
    assert!(verifies(dir, "203.0.113.9", NOW.plus_us(3_400 * DAY_US)));
}

#[test]
fn given_files_that_do_not_fit_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let (a, b) = (temp.path().join("a"), temp.path().join("b"));
    Tls::local(&a, &[], &[], NOW).unwrap();
    Tls::local(&b, &[], &[], NOW).unwrap();
    let tls = Tls::files(&a.join("server.pem"), &a.join("server.key")).unwrap();
    assert_eq!(tls.ca_pem(), None);
    let empty = temp.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for (certificate, key, kind, named) in [
        (a.join("server.pem"), b.join("server.key"), Kind::InvalidArgument, "server.key"),
        (empty.clone(), a.join("server.key"), Kind::InvalidArgument, "empty.pem"),
        (a.join("server.pem"), empty, Kind::InvalidArgument, "empty.pem"),
        (a.join("nothing.pem"), a.join("server.key"), Kind::NotFound, "nothing.pem"),
    ] {
        let e = Tls::files(&certificate, &key).unwrap_err();
        assert_eq!(e.kind(), kind, "{e}");
        assert!(e.message().contains(named), "{e}");
    }
    let e = Tls::local(&a, &names(&["nhà.lan"]), &[], NOW).unwrap_err();
    assert_eq!(e.code(), Some("certificate"));
}
