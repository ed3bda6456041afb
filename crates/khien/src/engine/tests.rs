use std::sync::atomic::AtomicUsize;

use api::Control as _;
use media::Wall;
use store::registry::NewCamera;

use super::*;

const NOW: Wall = Wall(1_785_567_600_000_000);

fn engine(dir: &tempfile::TempDir) -> Arc<Engine> {
    let store = Store::open(dir.path(), store::Options::default(), NOW).unwrap();
    Engine::new(Parts {
        store,
        registry: Registry::open(dir.path()).unwrap(),
        pictures: Arc::new(pixels::Worker::new(pixels::Config::new(false))),
        limits: Limits { days_max: Some(9), ..Limits::default() },
        rules: Rules::default(),
    })
}

/// An address on which nothing answers.
fn camera(engine: &Engine, name: &str) -> Camera {
    let new = NewCamera {
        name: name.to_owned(),
        url: "rtsp://127.0.0.1:1/nothing".to_owned(),
        ..NewCamera::default()
    };
    engine.registry.add_camera(new, NOW).unwrap()
}

fn plans(engine: &Engine) -> Vec<CameraId> {
    lock(&engine.cameras).keys().copied().collect()
}

#[tokio::test]
async fn a_panic_is_counted_and_only_its_task_begins_again() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir);
    let (_stopper, stop) = Stopper::new();
    let id = CameraId::from_bits(1);
    let runs = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&runs);
    let broken = engine.keep(id, "test", stop.clone(), move || {
        let run = seen.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { assert!(run > 0, "the first run breaks") })
    });
    let forever = stop.clone();
    let other = engine.keep(CameraId::from_bits(2), "test", stop, move || {
        let mut stop = forever.clone();
        Box::pin(async move { stop.wanted().await })
    });
    tokio::time::timeout(Duration::from_secs(20), broken).await.expect("it ends").unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(engine.panics.load(Ordering::Relaxed), 1);
    assert!(!other.is_finished());
    let mut text = String::new();
    engine.figures(&mut text);
    assert!(text.contains("\nkhien_panics_total 1\n"), "{text}");
}

#[tokio::test]
async fn only_what_touches_the_connection_restarts_a_camera() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir);
    let id = camera(&engine, "gate").id;
    engine.start_all().await.unwrap();
    assert_eq!(plans(&engine), [id]);
    let began = |engine: &Engine| lock(&engine.cameras)[&id].tasks[0].id();
    let first = began(&engine);
    let edit = |f: fn(&mut Camera)| {
        engine.registry.edit_camera(id, |c| {
            f(c);
            Ok(())
        })
    };
    edit(|c| c.name = "yard".to_owned()).unwrap();
    engine.settle(id).await.unwrap();
    assert_eq!(began(&engine), first, "a name is no reason to cut a recording");
    edit(|c| c.transport = registry::Transport::Udp).unwrap();
    engine.settle(id).await.unwrap();
    assert_ne!(began(&engine), first);
    edit(|c| c.enabled = false).unwrap();
    engine.settle(id).await.unwrap();
    assert_eq!(plans(&engine), []);
    engine.registry.remove_camera(id).unwrap();
    engine.settle(id).await.unwrap();
    assert!(Handles(engine).status(id).is_none());
}

#[tokio::test]
async fn a_source_that_begins_again_keeps_the_pin() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir);
    let gate = camera(&engine, "gate");
    engine.start_all().await.unwrap();
    let first = lock(&engine.cameras)[&gate.id].plan.clone();
    engine.pin(gate.id, [7; 32]).await;
    // A panic takes the task that remembered the certificate; what it was made of knows none.
    assert_eq!(first.certificate, None);
    let again = engine.present(gate.id, first.clone()).await.config(&engine.rules);
    assert!(matches!(again.trust, Trust::Pin(Some(pin)) if pin == [7; 32]), "{:?}", again.trust);
    engine.registry.remove_camera(gate.id).unwrap();
    let again = engine.present(gate.id, first).await;
    assert_eq!(again.certificate, Some([7; 32]), "also without the registry");
}

#[tokio::test]
async fn what_another_address_showed_is_not_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir);
    let id = camera(&engine, "gate").id;
    engine.start_all().await.unwrap();
    let moved = engine.registry.edit_camera(id, |c| {
        c.url = "rtsps://127.0.0.1:2/nothing".to_owned();
        Ok(())
    });
    engine.pin(id, [7; 32]).await;
    assert_eq!(engine.registry.camera(moved.unwrap().id).unwrap().certificate, None);
    assert_eq!(lock(&engine.cameras)[&id].plan.certificate, None);
}

#[test]
fn a_given_authority_judges_instead_of_a_pin() {
    let made = rcgen::generate_simple_self_signed(vec!["ca".to_owned()]).unwrap();
    let rules = Rules { ca: Some(vec![made.cert.der().clone()]), ..Rules::default() };
    let tcp = registry::Transport::Tcp;
    let config = source("rtsps://gate/x", None, None, tcp, Some([7; 32]), &rules);
    assert!(matches!(config.trust, Trust::Ca(all) if all == [made.cert.der().clone()]));
    let config = source("rtsps://gate/x", None, None, tcp, Some([7; 32]), &Rules::default());
    assert!(matches!(config.trust, Trust::Pin(Some(pin)) if pin == [7; 32]));
}

#[tokio::test]
async fn a_camera_that_does_not_answer_is_offline_and_its_gap_has_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir);
    let id = camera(&engine, "gate").id;
    engine.start_all().await.unwrap();
    let mut status = lock(&engine.cameras)[&id].status.clone();
    let offline = status.wait_for(|s| s.state == State::Offline);
    tokio::time::timeout(Duration::from_secs(20), offline).await.expect("in time").unwrap();
    let handles = Handles(Arc::clone(&engine));
    let seen = handles.status(id).unwrap();
    assert_eq!(seen.state, api::CameraState::Offline);
    assert_eq!(seen.detail.unwrap().code, "camera-port");
    let e = handles.snapshot(id).await.unwrap_err();
    assert_eq!(e.code(), Some("camera-offline"));
    engine.stop_all(Duration::from_secs(20)).await;
    engine.store.flush();
    let gap = engine.store.open_gap(id).unwrap().expect("a gap that lasts");
    assert_eq!(gap.to, None);
    engine.settle(id).await.unwrap();
    assert_eq!(plans(&engine), [], "nothing begins after the end");
}

#[test]
fn pace_is_measured_between_looks() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut pace = Pace::new(start);
    pace.look(at(100), 500, 0);
    assert_eq!((pace.per_second, pace.moves(at(100))), (0, false));
    pace.look(at(2_000), 4_000, 2);
    assert_eq!((pace.per_second, pace.moves(at(2_000))), (2_000, true));
    pace.look(at(12_500), 4_000, 2);
    assert_eq!((pace.per_second, pace.moves(at(12_500))), (0, false));
}
