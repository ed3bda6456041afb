use std::thread;
use std::time::Duration;

use crate::house::{House, now, numbers, until};

#[test]
fn sigterm_seals_within_three_seconds_and_the_next_start_goes_on() {
    let house = House::new();
    let camera = house.camera(5);
    let from = now();
    let serve = house.serve();
    house.add("gate", camera.url());
    house.recorded("gate");
    thread::sleep(Duration::from_secs(3));
    let took = serve.end();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(!house.data().join("khien.sock").exists());

    let report = house.json(&["check"]);
    assert_eq!(report["sound"], true, "{report}");
    let unsealed = report["findings"].as_array().unwrap().iter().any(|f| f["code"] == "unsealed");
    assert!(!unsealed && report["segments"].as_u64().unwrap() > 0, "{report}");
    let first = house.export("gate", from, now());
    assert!(first.len() >= 15, "{}", first.len());

    // Longer than a group, or the next start begins with pictures that are there already.
    thread::sleep(Duration::from_millis(2_500));
    let serve = house.serve();
    house.recorded("gate");
    // Beside a process that records, over its socket.
    assert_eq!(house.json(&["check"])["sound"], true);
    until("the gap is closed", Duration::from_secs(30), || {
        house.timeline("gate", from, now()).spans.len() == 2
    });
    let timeline = house.timeline("gate", from, now());
    let [(_, Some(_), cause)] = &timeline.gaps[..] else { panic!("{:?}", timeline.gaps) };
    assert_eq!(cause, "switched_off");
    serve.end();
    let all = house.export("gate", from, now());
    let (all, first) = (numbers(&all), numbers(&first));
    assert!(all.len() > first.len() && all.is_superset(&first), "what was recorded stays");
}
