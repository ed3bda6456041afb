//! RTSPS: the first certificate is remembered and no other accepted after it, or a given CA
//! decides.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "this file is all tests")]

mod watching;

use fakecam::{Camera, Config as CameraConfig, Quirk};
use net::source::State;
use net::source::rtsp::Config;
use net::tls::{Fingerprint, Trust};
use rustls::pki_types::CertificateDer;

use watching::{Watch, of};

fn secure() -> Camera {
    Camera::start(CameraConfig { tls: true, ..CameraConfig::default() }).expect("starts")
}

fn odd(variant: u32) -> Camera {
    Camera::start(CameraConfig::for_quirk(Quirk::TrTlsOdd).variant(variant)).expect("starts")
}

fn pinned(camera: &Camera, pin: Fingerprint) -> Config {
    Config { trust: Trust::Pin(Some(pin)), ..of(camera) }
}

fn by_ca(camera: &Camera, certificate: Vec<u8>) -> Config {
    Config { trust: Trust::Ca(vec![CertificateDer::from(certificate)]), ..of(camera) }
}

async fn shown(camera: &Camera) -> Fingerprint {
    let watch = Watch::start(of(camera));
    watch.pictures(3).await;
    let (_, status) = watch.end().await;
    let certificate = status.certificate.expect("is reported");
    let hex: String = certificate.sha256.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(Some(hex), camera.certificate_sha256());
    certificate.sha256
}

#[tokio::test]
async fn the_first_certificate_is_reported_and_from_then_on_asked_for() {
    let camera = secure();
    let pin = shown(&camera).await;
    let watch = Watch::start(pinned(&camera, pin));
    watch.pictures(3).await;
    watch.end().await;
}

#[tokio::test]
async fn a_changed_certificate_is_refused_until_a_person_accepts_it() {
    let camera = secure();
    let pin = shown(&camera).await;
    camera.change_certificate().expect("makes another");
    let other = camera.certificate_sha256().expect("speaks TLS");
    let watch = Watch::start(pinned(&camera, pin));
    let (state, trouble) = watch.trouble("camera-certificate").await;
    assert_eq!(state, State::Refused);
    for word in ["has changed", "accept", &other] {
        assert!(trouble.message.contains(word), "{word} is not in {}", trouble.message);
    }
    let (seen, status) = watch.end().await;
    assert_eq!(seen.pictures(), 0);
    let found = status.certificate.expect("is shown to whoever decides").sha256;
    assert_ne!(found, pin);
    let requests = camera.stats().requests;
    let told = requests.iter().filter(|r| r.connection > 0).count();
    assert_eq!(told, 0, "nothing is said to a camera with the wrong certificate");
    let accepted = Watch::start(pinned(&camera, found));
    accepted.pictures(3).await;
    accepted.end().await;
}

#[tokio::test]
async fn a_certificate_that_changes_while_the_camera_is_watched_is_refused_at_the_next_connection()
{
    let camera = secure();
    let pin = shown(&camera).await;
    let watch = Watch::start(pinned(&camera, pin));
    watch.pictures(5).await;
    camera.change_certificate().expect("makes another");
    camera.faults(|f| f.close_after = Some(0));
    watch.trouble("camera-certificate").await;
    watch.end().await;
}

#[tokio::test]
async fn expired_and_misnamed_certificates_are_as_good_as_others_to_a_pin() {
    for variant in 0..3 {
        let camera = odd(variant);
        shown(&camera).await;
    }
}

#[tokio::test]
async fn a_ca_lets_its_own_cameras_in_and_nobody_else() {
    let (camera, stranger) = (secure(), secure());
    let own = camera.certificate_der().expect("speaks TLS");
    let watch = Watch::start(by_ca(&camera, own.clone()));
    watch.pictures(3).await;
    watch.end().await;
    let watch = Watch::start(by_ca(&stranger, own));
    let (state, trouble) = watch.trouble("camera-certificate").await;
    assert_eq!(state, State::Refused);
    assert!(trouble.message.contains("not signed by the given CA"), "{}", trouble.message);
    watch.end().await;
    assert_eq!(stranger.stats().requests.len(), 0);
}

#[tokio::test]
async fn a_ca_does_not_vouch_for_expired_certificates_or_other_names() {
    for variant in [1, 2] {
        let camera = odd(variant);
        let own = camera.certificate_der().expect("speaks TLS");
        let watch = Watch::start(by_ca(&camera, own));
        let (state, _) = watch.trouble("camera-certificate").await;
        assert_eq!(state, State::Refused, "{variant}");
        let (seen, _) = watch.end().await;
        assert_eq!(seen.pictures(), 0, "{variant}");
    }
}
