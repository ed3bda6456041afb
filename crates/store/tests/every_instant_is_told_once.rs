//! Whatever happens to a camera, inside what is known of it every instant is recorded, or missing
//! with a cause, or expired. Seeded: a failure names its seed.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod scene;

use media::{Cause, Gap};
use scene::{Camera, S, START, at, copy_dir, id, open_with, put, tick};
use store::{Depth, Limits, Options, Store, check};

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

fn options() -> Options {
    Options { segment_us: 3 * S, ..Options::default() }
}

/// Pieces of a time line by start, as (from, to, kind).
fn pieces(store: &Store) -> Vec<(i64, Option<i64>, String)> {
    let line = store.timeline(id(1), at(-100), at(100_000)).unwrap();
    let us = |w: media::Wall| w.us_since(START);
    let mut all = Vec::new();
    all.extend(line.spans.iter().map(|s| (us(s.from), Some(us(s.to)), "recorded".to_owned())));
    all.extend(line.expired.iter().map(|s| (us(s.from), Some(us(s.to)), "expired".to_owned())));
    all.extend(line.gaps.iter().map(|g| (us(g.from), g.to.map(us), g.cause.slug().to_owned())));
    all.sort();
    all
}

fn told_once(store: &Store, seed: u64) {
    let all = pieces(store);
    for pair in all.windows(2) {
        // At most the jitter of a clock between two pieces of footage.
        assert_eq!(pair[0].1, Some(pair[1].0), "seed {seed}: {all:#?}");
    }
    for (from, to, kind) in &all {
        assert!(to.is_none_or(|to| to > *from), "seed {seed}: {all:#?}");
        assert_ne!(kind, "unknown", "seed {seed}: {all:#?}");
    }
}

#[test]
fn for_any_order_of_events() {
    for seed in 1..=16_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let dir = tempfile::tempdir().unwrap();
        let mut home = dir.path().join("0");
        let mut store = open_with(&home, options(), START);
        let mut camera = Camera::new(1);
        let mut now = 0;
        for step in 0..25 {
            let writer = store.writer();
            match dice.roll(8) {
                0..=2 => {
                    let to = now + 1 + dice.roll(7);
                    put(&writer, camera.sends(now, to));
                    now = to;
                }
                3 => {
                    let causes = [Cause::NetworkCut, Cause::CameraAuth, Cause::CameraSilent];
                    for cause in causes {
                        if dice.roll(2) == 0 {
                            writer.gap_open(id(1), at(now), cause);
                            now += 1 + dice.roll(3);
                        }
                    }
                }
                4 => {
                    let to = now + 1 + dice.roll(3);
                    let gap = Gap { from: at(now), to: Some(at(to)), cause: Cause::Shed };
                    writer.gap(id(1), gap);
                    now = to;
                }
                5 => {
                    store.flush();
                    let bytes = store.bytes(None).unwrap();
                    let limit = Some(bytes / u64::try_from(1 + dice.roll(3)).unwrap());
                    store.set_limits(Limits { bytes_max: limit, ..Limits::default() });
                    store.retain().unwrap();
                    store.set_limits(Limits::default());
                }
                6 => {
                    // Killed: everything handed over was written.
                    store.flush();
                    let next = dir.path().join(format!("{}", step + 1));
                    copy_dir(&home, &next);
                    store.shutdown();
                    now += dice.roll(5);
                    store = open_with(&next, options(), at(now));
                    home = next;
                }
                _ => {
                    tick(&store, now);
                    store.shutdown();
                    now += dice.roll(5);
                    if dice.roll(3) == 0 {
                        std::fs::remove_file(home.join("index.db")).unwrap();
                    }
                    drop(store);
                    store = open_with(&home, options(), at(now));
                }
            }
            store.flush();
            told_once(&store, seed);
        }
        let before = pieces(&store);
        drop(store);
        let report = check(&home, Depth::Bytes, &mut |_, _| ()).unwrap();
        assert_eq!(report.findings, [], "seed {seed}");
        assert_eq!(pieces(&Store::open_read(&home).unwrap()), before, "seed {seed}");
    }
}
