use std::sync::Arc;

use bytes::Bytes;
use media::codec::Codec;
use media::{Cause, Frame, Params, Rate, Ticks, Track, TrackId, Wall};

use super::*;

fn track() -> Track {
    Track { id: TrackId(0), rate: Rate::VIDEO, params: Arc::new(Params::Pending(Codec::H264)) }
}

/// Frame `n` of a 10 frames/s camera whose groups are `gop` frames long.
fn frame(n: i64, gop: i64, bytes: usize) -> Frame {
    Frame {
        track: TrackId(0),
        pts: Ticks(n * 9000),
        dts: Ticks(n * 9000),
        wall: Wall(n * 100_000),
        random_access: n % gop == 0,
        damaged: false,
        discontinuity: false,
        params: Arc::new(Params::Pending(Codec::H264)),
        data: Bytes::from(vec![0; bytes]),
    }
}

fn drain(s: &mut Subscriber) -> Vec<Item> {
    std::iter::from_fn(|| s.try_next()).collect()
}

fn numbers(items: &[Item]) -> Vec<i64> {
    items
        .iter()
        .filter_map(|i| match i {
            Item::Frame { frame, .. } => Some(frame.dts.0 / 9000),
            _ => None,
        })
        .collect()
}

#[test]
fn a_viewer_joins_at_the_newest_group() {
    let hub = Hub::new();
    let publisher = hub.publish("a", vec![track()]).unwrap();
    for n in 0..25 {
        publisher.push(frame(n, 10, 100));
    }
    let mut viewer = hub.subscribe("a", Kind::Live);
    let items = drain(&mut viewer);
    assert!(matches!(items[0], Item::Published(_)));
    assert_eq!(numbers(&items), [20, 21, 22, 23, 24]);
}

#[test]
fn a_subscriber_may_come_before_the_publisher_and_outlives_it() {
    let hub = Hub::new();
    let mut s = hub.subscribe("a", Kind::Lossless);
    assert_eq!(s.try_next(), None);
    for round in 0..3 {
        let publisher = hub.publish("a", vec![track()]).unwrap();
        assert!(hub.publish("a", vec![track()]).is_err(), "two publishers");
        publisher.push(frame(round, 1, 10));
        publisher.close(Cause::NetworkCut);
    }
    let items = drain(&mut s);
    assert_eq!(items.len(), 9);
    for three in items.chunks(3) {
        assert!(matches!(
            three,
            [Item::Published(_), Item::Frame { .. }, Item::Unpublished(Cause::NetworkCut)]
        ));
    }
    assert_eq!(numbers(&items), [0, 1, 2]);
}

#[test]
fn a_slow_viewer_skips_to_the_newest_group_and_is_told() {
    let hub = Hub::new();
    let publisher = hub.publish("a", vec![track()]).unwrap();
    let mut slow = hub.subscribe("a", Kind::Live);
    assert!(matches!(slow.try_next(), Some(Item::Published(_))));
    for n in 0..95 {
        publisher.push(frame(n, 10, 1000));
    }
    let items = drain(&mut slow);
    assert_eq!(items[0], Item::Skipped(90));
    assert_eq!(numbers(&items), [90, 91, 92, 93, 94]);
    assert_eq!(hub.stats("a").unwrap().skipped, 90);
}

#[test]
fn a_viewer_a_little_behind_at_a_group_boundary_skips_nothing() {
    let hub = Hub::new();
    let publisher = hub.publish("a", vec![track()]).unwrap();
    let mut viewer = hub.subscribe("a", Kind::Live);
    let mut seen = Vec::new();
    for n in 0..95 {
        publisher.push(frame(n, 10, 1000));
        if n % 7 == 6 {
            let items = drain(&mut viewer);
            assert!(!items.iter().any(|i| matches!(i, Item::Skipped(_))), "{n}");
            seen.extend(numbers(&items));
        }
    }
    assert_eq!(seen, (0..91).collect::<Vec<_>>());
}

#[test]
fn a_lossless_reader_gets_everything_within_its_budget_and_a_gap_beyond() {
    let hub = Hub::new();
    let publisher = hub.publish("a", vec![track()]).unwrap();
    let mut recorder = hub.subscribe("a", Kind::Lossless);
    for n in 0..200 {
        publisher.push(frame(n, 10, 100_000));
    }
    assert_eq!(numbers(&drain(&mut recorder)), (0..200).collect::<Vec<_>>());
    for n in 200..700 {
        publisher.push(frame(n, 10, 100_000));
    }
    assert!(hub.stats("a").unwrap().ring_bytes <= LOSSLESS_BYTES_MAX + 2_000_000);
    let items = drain(&mut recorder);
    let Item::Gap(gap) = items[0] else { panic!("{:?}", items[0]) };
    let seen = numbers(&items);
    assert_eq!(gap.cause, Cause::Shed);
    assert_eq!(gap.to, Some(Wall(seen[0] * 100_000)));
    assert_eq!(*seen.last().unwrap(), 699);
    assert_eq!(hub.stats("a").unwrap().lost, u64::try_from(seen[0] - 200).unwrap());
}

#[test]
fn a_reader_that_never_read_is_told_where_its_gap_begins() {
    let hub = Hub::new();
    let mut s = hub.subscribe("a", Kind::Lossless);
    let publisher = hub.publish("a", vec![track()]).unwrap();
    for n in 70..170 {
        publisher.push(frame(n, 10, 1 << 20));
    }
    let gap = drain(&mut s).into_iter().find_map(|i| match i {
        Item::Gap(gap) => Some(gap),
        _ => None,
    });
    assert_eq!(gap.map(|g| g.from), Some(Wall(7_000_000)));
}

#[test]
fn memory_is_bounded_without_readers_and_with_endless_groups() {
    let hub = Hub::new();
    let publisher = hub.publish("a", vec![track()]).unwrap();
    let mut stuck = hub.subscribe("a", Kind::Live);
    for n in 0..1000 {
        publisher.push(frame(n, 1_000_000, 100_000));
        assert!(hub.stats("a").unwrap().ring_bytes <= RING_BYTES_MAX + 2_000_000);
    }
    // No group start is left to join: the stuck viewer waits for the next one.
    let items = drain(&mut stuck);
    assert!(items.iter().any(|i| matches!(i, Item::Skipped(_) | Item::Gap(_))), "{items:?}");
    publisher.push(frame(1_000_000, 1_000_000, 100));
    assert_eq!(numbers(&drain(&mut stuck)).last(), Some(&1_000_000));
}

#[tokio::test]
async fn waiting_readers_wake() {
    let hub = Hub::new();
    let mut s = hub.subscribe("a", Kind::Live);
    let task = tokio::spawn(async move {
        let published = s.next().await;
        let frame = s.next().await;
        (published, frame)
    });
    tokio::task::yield_now().await;
    let publisher = hub.publish("a", vec![track()]).unwrap();
    tokio::task::yield_now().await;
    publisher.push(frame(0, 1, 1));
    let (published, frame) = task.await.unwrap();
    assert!(matches!(published, Item::Published(_)));
    assert!(matches!(frame, Item::Frame { seq: 0, .. }));
    assert_eq!(hub.published(), ["a"]);
}
