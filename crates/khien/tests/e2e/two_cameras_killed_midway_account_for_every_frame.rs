use std::thread;
use std::time::{Duration, Instant};

use media::Wall;
use pixels::pattern::Stamp;

use crate::house::{House, Timeline, now};

const FPS: i64 = 15;
/// How exactly the recorder's wall clock follows the camera's stamps.
const SLACK_US: i64 = 250_000;
/// How long nothing runs between the kill and the next start.
const DOWN: Duration = Duration::from_secs(2);

/// 60 s, or what the environment variable KHIEN_E2E_SECONDS says.
fn seconds() -> u64 {
    std::env::var("KHIEN_E2E_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60).max(20)
}

#[test]
fn two_cameras_killed_midway_account_for_every_frame() {
    let house = House::new();
    let cameras = [("gate", 11), ("yard", 22)].map(|(name, tag)| (name, tag, house.camera(tag)));
    let from = now().plus_us(-5_000_000);
    let serve = house.serve();
    for (name, _, camera) in &cameras {
        house.add(name, camera.url());
    }
    for (name, ..) in &cameras {
        house.recorded(name);
    }
    thread::sleep(Duration::from_secs(seconds() / 2));
    let (killed, killed_wall) = (Instant::now(), now());
    serve.kill();
    thread::sleep(DOWN);
    let serve = house.serve();
    let down = killed.elapsed();
    for (name, ..) in &cameras {
        house.recorded(name);
    }
    thread::sleep(Duration::from_secs(seconds() / 2).saturating_sub(DOWN));
    let took = serve.end();
    assert!(took < Duration::from_secs(3), "the end took {took:?}");
    house.verb(&["check"]);

    let to = now().plus_us(5_000_000);
    for (name, tag, _) in &cameras {
        let frames = house.export(name, from, to);
        let timeline = house.timeline(name, from, to);
        let down_us = i64::try_from(down.as_micros()).unwrap();
        gaps_are_short(name, &timeline, down_us + 1_000_000);
        assert!(frames.iter().all(|f| f.camera == *tag), "{name}: another camera's frames");
        let before = frames.iter().filter(|f| f.wall < killed_wall).count();
        let after = frames.len() - before;
        let least = usize::try_from(seconds()).unwrap() / 2 * 5;
        assert!(before > least && after > least, "{name}: {before} {after}");
        every_frame_is_accounted_for(name, &frames, &timeline);
    }
}

fn gaps_are_short(name: &str, timeline: &Timeline, most_us: i64) {
    assert!(timeline.gaps.iter().any(|(.., cause)| cause == "process_crash"), "{name}: no gap");
    for (from, to, cause) in &timeline.gaps {
        assert_ne!(cause, "unknown", "{name}");
        match to {
            Some(to) => {
                let long = to.us_since(*from);
                assert!(long <= most_us, "{name}: {cause} of {long} µs, at most {most_us}");
            }
            None => assert_eq!(cause, "switched_off", "{name}: only the end lasts"),
        }
    }
}

fn every_frame_is_accounted_for(name: &str, frames: &[Stamp], timeline: &Timeline) {
    let excused = |at: Wall| {
        timeline.gaps.iter().any(|(from, to, _)| {
            at >= from.plus_us(-SLACK_US) && to.is_none_or(|to| at <= to.plus_us(SLACK_US))
        })
    };
    for pair in frames.windows(2) {
        let [a, b] = pair else { unreachable!() };
        assert!(b.frame > a.frame, "{name}: frame {} comes after {}", b.frame, a.frame);
        for missing in a.frame + 1..b.frame {
            let after_us = i64::from(missing - a.frame) * 1_000_000 / FPS;
            let at = a.wall.plus_us(after_us);
            let gaps = &timeline.gaps;
            assert!(excused(at), "{name}: frame {missing} of {at} is missing; gaps: {gaps:?}");
        }
    }
    // What is exported is what the timeline says is there.
    let covered = |at: Wall| {
        let spans = timeline.spans.iter();
        spans.clone().any(|(from, to)| at >= from.plus_us(-SLACK_US) && at <= to.plus_us(SLACK_US))
    };
    for frame in frames {
        assert!(
            covered(frame.wall),
            "{name}: frame {} of {} lies outside",
            frame.frame,
            frame.wall
        );
    }
}
