//! What the frames of a path became, remembered for the other viewers of the path.
//!
//! As much is kept as the hub lets a viewer join at or be behind; who asks for less recent frames
//! has to wait for the next group.

use std::collections::VecDeque;

use hub::{LIVE_LAG_US_MAX, RING_BYTES_MAX};
use media::Wall;

/// Frames kept at most: a minute of pictures and sound.
const FRAMES_MAX: usize = 8_192;

#[derive(Debug)]
pub(super) struct Memo<T> {
    entries: VecDeque<Entry<T>>,
    bytes: usize,
    /// The number of the first frame of the newest group.
    group: u64,
}

#[derive(Debug)]
struct Entry<T> {
    seq: u64,
    wall: Wall,
    bytes: usize,
    value: T,
}

impl<T> Memo<T> {
    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, group: 0 }
    }

    pub(super) fn get(&self, seq: u64) -> Option<&T> {
        let at = self.entries.binary_search_by_key(&seq, |e| e.seq).ok()?;
        self.entries.get(at).map(|e| &e.value)
    }

    /// Whether a frame as new as `seq` or newer is remembered: older ones cannot be made any
    /// more, because what is made of a frame depends on those before it.
    pub(super) fn has_passed(&self, seq: u64) -> bool {
        self.entries.back().is_some_and(|newest| newest.seq >= seq)
    }

    /// Remembers a frame newer than all others.
    pub(super) fn push(
        &mut self,
        seq: u64,
        wall: Wall,
        starts_group: bool,
        bytes: usize,
        value: T,
    ) {
        if starts_group {
            self.group = seq;
        }
        self.bytes += bytes;
        self.entries.push_back(Entry { seq, wall, bytes, value });
        while let Some(oldest) = self.entries.front() {
            let of_use = oldest.seq >= self.group || wall.us_since(oldest.wall) <= LIVE_LAG_US_MAX;
            let fits = self.bytes <= RING_BYTES_MAX && self.entries.len() <= FRAMES_MAX;
            if of_use && fits || oldest.seq == seq {
                break;
            }
            self.bytes -= oldest.bytes;
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_group_and_what_a_viewer_may_be_behind_are_kept() {
        let mut memo = Memo::new();
        for seq in 0..100_u64 {
            // A frame each 100 ms, a group each 30 frames.
            let wall = Wall(seq as i64 * 100_000);
            memo.push(seq, wall, seq.is_multiple_of(30), 1_000, seq);
        }
        assert_eq!(memo.get(99), Some(&99));
        assert_eq!(memo.get(79), Some(&79), "two seconds ago");
        assert_eq!(memo.get(78), None);
        assert!(memo.has_passed(50) && !memo.has_passed(100));
        memo.push(100, Wall(0), false, 0, 100);
        assert_eq!(memo.get(90), Some(&90), "of the newest group");
    }

    #[test]
    fn size_wins_over_everything_but_the_newest() {
        let mut memo = Memo::new();
        memo.push(0, Wall(0), true, RING_BYTES_MAX, 'a');
        memo.push(1, Wall(0), false, RING_BYTES_MAX * 2, 'b');
        assert_eq!((memo.get(0), memo.get(1)), (None, Some(&'b')));
        for seq in 2..20_000 {
            memo.push(seq, Wall(0), false, 0, 'c');
        }
        assert!(memo.entries.len() <= FRAMES_MAX);
        assert_eq!(memo.bytes, 0);
    }
}
