use std::os::unix::fs::PermissionsExt;

use media::{CameraId, Wall};
use stdx::{Kind, Secret};

use super::*;

const NOW: Wall = Wall(1_800_000_000_000_000);

fn fresh() -> (tempfile::TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join("data")).unwrap();
    (dir, registry)
}

fn camera(name: &str, url: &str) -> NewCamera {
    NewCamera { name: name.to_owned(), url: url.to_owned(), ..NewCamera::default() }
}

fn user(name: &str, role: Role) -> NewUser {
    NewUser {
        name: name.to_owned(),
        role,
        password_hash: Secret::from("$argon2id$"),
        language: "en".to_owned(),
    }
}

fn session(user: &str, token: u8, seen: i64) -> Session {
    Session {
        token_sha256: [token; 32],
        user: user.to_owned(),
        created: NOW,
        last_seen: NOW.plus_us(seen),
        expires: NOW.plus_us(1_000_000),
        agent: "é".repeat(200),
        address: "192.0.2.1".to_owned(),
    }
}

#[test]
fn only_the_owner_of_the_process_may_read_it() {
    let (dir, registry) = fresh();
    registry.set_setting("a", Some("b")).unwrap();
    let data = dir.path().join("data");
    let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let path = data.join(FILE);
    drop(registry);
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    Registry::open(&data).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn cameras_come_back_whole_and_in_order() {
    let (dir, registry) = fresh();
    let new = NewCamera {
        user: Some("admin".to_owned()),
        password: Some(Secret::from("canary-1")),
        transport: Transport::Udp,
        retention: Some(Retention { max_days: Some(7), max_bytes: Some(u64::MAX) }),
        certificate: Some([7; 32]),
        ..camera("  Cổng trước ", "rtsp://192.0.2.1/a")
    };
    let front = registry.add_camera(new, NOW).unwrap();
    let back = registry.add_camera(camera("back", "rtsps://h:322/b?c=1"), NOW).unwrap();
    assert_eq!((front.name.as_str(), front.position, back.position), ("Cổng trước", 1, 2));
    assert!(!format!("{front:?}").contains("canary"));
    registry.set_learned(back.id, "{}").unwrap();
    let edited = registry
        .edit_camera(front.id, |c| {
            (c.position, c.retention, c.id) = (9, None, CameraId::from_bits(1));
            Ok(())
        })
        .unwrap();
    assert_eq!((edited.id, edited.retention), (front.id, None));

    for again in
        [Registry::open(&dir.path().join("data")), Registry::open_read(&dir.path().join("data"))]
    {
        let cameras = again.unwrap().cameras().unwrap();
        assert_eq!(cameras, [Camera { learned: "{}".to_owned(), ..back.clone() }, edited.clone()]);
    }
    registry.remove_camera(front.id).unwrap();
    for result in [
        registry.remove_camera(front.id).map(|()| None),
        registry.camera(front.id).map(Some),
        registry.edit_camera(front.id, |_| Ok(())).map(Some),
    ] {
        assert_eq!(result.unwrap_err().code(), Some("camera-unknown"));
    }
}

#[test]
fn retention_limits_survive_their_extremes() {
    let (_dir, registry) = fresh();
    for (given, kept) in [(0, 0), (1 << 40, 1 << 40), (u64::MAX, i64::MAX.unsigned_abs())] {
        let new = NewCamera {
            retention: Some(Retention { max_days: None, max_bytes: Some(given) }),
            ..camera("c", "rtsp://h/")
        };
        let id = registry.add_camera(new, NOW).unwrap().id;
        let read = registry.camera(id).unwrap().retention.unwrap();
        assert_eq!(read, Retention { max_days: None, max_bytes: Some(kept) });
        registry.remove_camera(id).unwrap();
    }
}

#[test]
fn bad_cameras_are_refused_and_change_nothing() {
    let (_dir, registry) = fresh();
    let id = registry.add_camera(camera("front", "rtsp://h/"), NOW).unwrap().id;
    for (name, url, code) in [
        ("", "rtsp://h/", "name"),
        (" \t ", "rtsp://h/", "name"),
        ("a\nb", "rtsp://h/", "name"),
        ("a\u{202e}b", "rtsp://h/", "name"),
        (&"x".repeat(65), "rtsp://h/", "name"),
        ("front", "rtsp://h/", "name-taken"),
        ("b", "", "camera-url"),
        ("b", "rtsp://", "camera-url"),
        ("b", "rtsp:///x", "camera-url"),
        ("b", "rtsp://h/\r\nX: y", "camera-url"),
        ("b", "rtsp://u:p@h/", "camera-url"),
        ("b", &format!("rtsp://h/{}", "x".repeat(URL_BYTES_MAX)), "camera-url"),
    ] {
        let e = registry.add_camera(camera(name, url), NOW).unwrap_err();
        assert_eq!(e.code(), Some(code), "{name:?} {url:?}");
    }
    let e = registry
        .edit_camera(id, |c| {
            c.url = "nonsense".to_owned();
            Ok(())
        })
        .unwrap_err();
    assert_eq!(e.kind(), Kind::InvalidArgument);
    let names: Vec<String> = registry.cameras().unwrap().into_iter().map(|c| c.url).collect();
    assert_eq!(names, ["rtsp://h/"]);
    for hostile in ["$(id)", "'; DROP TABLE camera;--", "<img onerror=alert(1)>", "-rf", "../.."] {
        let added = registry.add_camera(camera(hostile, "rtsp://h/@home"), NOW).unwrap();
        assert_eq!(registry.camera(added.id).unwrap().name, hostile);
    }
}

#[test]
fn there_is_one_first_owner_and_always_one_owner() {
    let (_dir, registry) = fresh();
    assert!(!registry.has_owner().unwrap());
    registry.add_user(user("guest", Role::Viewer), NOW).unwrap();
    assert!(!registry.has_owner().unwrap());
    let first = registry.add_first_owner(user("an", Role::Viewer), NOW).unwrap();
    assert_eq!(first.role, Role::Owner);
    let e = registry.add_first_owner(user("eve", Role::Owner), NOW).unwrap_err();
    assert_eq!((e.kind(), e.code()), (Kind::FailedPrecondition, Some("setup-done")));
    let e = registry.add_user(user(" an ", Role::Viewer), NOW).unwrap_err();
    assert_eq!(e.kind(), Kind::AlreadyExists);
    assert_eq!(registry.remove_user("an").unwrap_err().code(), Some("last-owner"));
    registry.add_user(user("bo", Role::Owner), NOW).unwrap();
    registry.remove_user("an").unwrap();
    assert_eq!(registry.remove_user("an").unwrap_err().code(), Some("user-unknown"));
    registry.set_language("bo", "vi").unwrap();
    assert_eq!(registry.set_language("bo", "<b>").unwrap_err().code(), Some("language"));
    let names: Vec<_> =
        registry.users().unwrap().into_iter().map(|u| (u.name, u.language)).collect();
    assert_eq!(names, [("bo".to_owned(), "vi".to_owned()), ("guest".to_owned(), "en".to_owned())]);
}

#[test]
fn sessions_end_with_password_account_and_time() {
    let (_dir, registry) = fresh();
    registry.add_user(user("an", Role::Owner), NOW).unwrap();
    registry.add_user(user("bo", Role::Viewer), NOW).unwrap();
    assert_eq!(registry.add_session(&session("eve", 9, 0)).unwrap_err().kind(), Kind::NotFound);
    for (name, token) in [("an", 1), ("an", 2), ("bo", 3)] {
        registry.add_session(&session(name, token, 0)).unwrap();
    }
    let (found, owner) = registry.session(&[1; 32]).unwrap().unwrap();
    assert_eq!((owner.name.as_str(), found.agent.len()), ("an", 256));
    registry.touch_session(&[1; 32], NOW.plus_us(5)).unwrap();
    registry.touch_session(&[1; 32], NOW).unwrap();
    assert_eq!(registry.session(&[1; 32]).unwrap().unwrap().0.last_seen, NOW.plus_us(5));

    registry.set_password("an", &Secret::from("$other"), Some([1; 32])).unwrap();
    assert_eq!(registry.user("an").unwrap().unwrap().password_hash, Secret::from("$other"));
    assert!(registry.session(&[2; 32]).unwrap().is_none());
    assert_eq!(registry.sessions("an").unwrap().len(), 1);
    registry.set_password("an", &Secret::from("$third"), None).unwrap();
    assert_eq!(registry.sessions("an").unwrap(), []);
    registry.remove_user("bo").unwrap();
    assert!(registry.session(&[3; 32]).unwrap().is_none());

    registry.add_session(&session("an", 4, 0)).unwrap();
    registry.add_session(&session("an", 5, 10)).unwrap();
    assert_eq!(registry.purge_sessions(NOW, NOW.plus_us(5)).unwrap(), 1);
    assert_eq!(registry.purge_sessions(NOW.plus_us(1_000_000), NOW).unwrap(), 1);
    registry.add_session(&session("an", 6, 0)).unwrap();
    registry.remove_session(&[6; 32]).unwrap();
    assert_eq!(registry.sessions("an").unwrap(), []);
}

#[test]
fn the_oldest_session_makes_room() {
    let (_dir, registry) = fresh();
    registry.add_user(user("an", Role::Owner), NOW).unwrap();
    for token in 0..=SESSIONS_PER_USER_MAX {
        let token = u8::try_from(token).unwrap();
        registry.add_session(&session("an", token, i64::from(token))).unwrap();
    }
    assert!(registry.session(&[0; 32]).unwrap().is_none());
    assert!(registry.session(&[1; 32]).unwrap().is_some());
}

#[test]
fn settings_are_set_and_removed() {
    let (_dir, registry) = fresh();
    assert_eq!(registry.setting("k").unwrap(), None);
    registry.set_setting("k", Some("1")).unwrap();
    registry.set_setting("k", Some("2")).unwrap();
    assert_eq!(registry.setting("k").unwrap().as_deref(), Some("2"));
    registry.set_setting("k", None).unwrap();
    assert_eq!(registry.setting("k").unwrap(), None);
    assert!(registry.set_setting("", Some("x")).is_err());
    assert!(registry.set_setting("k", Some(&"x".repeat(TEXT_BYTES_MAX + 1))).is_err());
}

#[test]
fn a_newer_or_foreign_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Registry::open_read(dir.path()).unwrap_err().kind(), Kind::NotFound);
    let registry = Registry::open(dir.path()).unwrap();
    registry.lock().pragma_update(None, "user_version", 99).unwrap();
    drop(registry);
    for result in [Registry::open(dir.path()), Registry::open_read(dir.path())] {
        let e = result.unwrap_err();
        assert_eq!(e.code(), Some("newer-version"));
        assert!(e.message().contains(FILE), "{e}");
    }
    std::fs::write(dir.path().join(FILE), "not a database, but quite long".repeat(100)).unwrap();
    assert_eq!(Registry::open(dir.path()).unwrap_err().kind(), Kind::DataLoss);
}
