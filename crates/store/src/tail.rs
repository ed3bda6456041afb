//! The gaps after a camera's last recorded frame: opened and closed by whoever knows why nothing
//! comes, and made exact by the first fragment that does come. Pure.

use media::{Cause, Gap, Wall};

use crate::timeline::JITTER_US;

/// Causes that alternate while nothing is recorded make at most this many gaps.
const TAIL_MAX: usize = 64;
/// A gap is moved behind the footage if it seems to begin up to this much before its end. A larger
/// difference is a step of the clock.
const OVERLAP_US_MAX: i64 = 10_000_000;

/// See the module's description.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tail {
    /// Where the footage ends, as the wall clock was then.
    pub(crate) end: Option<Wall>,
    /// Ordered, without overlaps; only the last may be open.
    pub(crate) gaps: Vec<Gap>,
}

/// What must change in the index: the gaps that begin at these instants go, those come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) remove: Vec<Wall>,
    pub(crate) put: Vec<Gap>,
}

impl Tail {
    /// Where the next gap may begin at the earliest.
    fn behind(&self, at: Wall) -> Wall {
        let floor = self.gaps.last().map(|g| g.to.unwrap_or(g.from)).or(self.end);
        match floor {
            Some(floor) if floor > at && floor.us_since(at) <= OVERLAP_US_MAX => floor,
            _ => at,
        }
    }

    /// Nothing is recorded from `at` on.
    pub(crate) fn open(&mut self, at: Wall, cause: Cause) -> Change {
        let mut change = Change::default();
        if let Some(last) = self.gaps.last_mut().filter(|g| g.to.is_none()) {
            if last.cause == cause || at <= last.from {
                return change;
            }
            last.to = Some(at);
            change.put.push(*last);
        }
        if self.gaps.len() >= TAIL_MAX {
            if let Some(last) = self.gaps.last_mut() {
                last.to = None;
                change.put.push(*last);
            }
            return change;
        }
        let gap = Gap { from: self.behind(at), to: None, cause };
        self.gaps.push(gap);
        change.put.push(gap);
        change
    }

    /// The reason for the open gap is over, though nothing has come yet.
    pub(crate) fn close(&mut self, at: Wall) -> Change {
        let mut change = Change::default();
        if let Some(last) = self.gaps.last_mut().filter(|g| g.to.is_none()) {
            last.to = Some(at.max(last.from.plus_us(1)));
            change.put.push(*last);
        }
        change
    }

    /// A gap with both ends.
    pub(crate) fn add(&mut self, gap: Gap) -> Change {
        let Some(to) = gap.to else { return self.open(gap.from, gap.cause) };
        if self.gaps.last().is_some_and(|g| g.to.is_none()) || self.gaps.len() >= TAIL_MAX {
            // The open gap covers it already.
            return Change::default();
        }
        let gap = Gap { from: self.behind(gap.from), ..gap };
        if to <= gap.from {
            return Change::default();
        }
        self.gaps.push(gap);
        Change { remove: Vec::new(), put: vec![gap] }
    }

    /// A fragment was written from `start` to `end`: what lies before it becomes exact, what lies
    /// after it stays. `own` is what the fragment itself says is missing before it, `fallback` the
    /// cause of a hole that nobody explains.
    pub(crate) fn settle(
        &mut self,
        start: Wall,
        end: Wall,
        own: Option<Gap>,
        fallback: Cause,
    ) -> Change {
        let old: Vec<Gap> = std::mem::take(&mut self.gaps);
        let footage_end = self.end.replace(end);
        let (mut before, after): (Vec<Gap>, Vec<Gap>) =
            old.iter().copied().partition(|g| g.from <= start);
        self.gaps = after
            .into_iter()
            .map(|g| Gap { from: g.from.max(end), ..g })
            .filter(|g| g.to.is_none_or(|to| to > g.from))
            .collect();
        if before.is_empty() {
            let hole_us = footage_end.map_or(0, |e| start.us_since(e));
            if let Some(own) = own {
                before.push(own);
            } else if hole_us > JITTER_US {
                before.extend(footage_end.map(|from| Gap { from, to: None, cause: fallback }));
            }
        }
        // Each gap lasts until the next, the last until the fragment; the first begins where the
        // footage ended.
        let mut next = start;
        for gap in before.iter_mut().rev() {
            gap.to = Some(next);
            next = gap.from;
        }
        if let (Some(first), Some(footage_end)) = (before.first_mut(), footage_end)
            && (footage_end < first.from || footage_end.us_since(first.from) <= OVERLAP_US_MAX)
        {
            first.from = footage_end;
        }
        before.retain(|g| g.to.is_some_and(|to| to > g.from));
        let mut put = before;
        put.extend(self.gaps.iter().copied());
        let remove =
            old.iter().map(|g| g.from).filter(|from| put.iter().all(|g| g.from != *from)).collect();
        put.retain(|g| !old.contains(g));
        Change { remove, put }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    fn g(from: i64, to: i64, cause: Cause) -> Gap {
        Gap { from: Wall(from * S), to: (to >= 0).then_some(Wall(to * S)), cause }
    }

    fn tail(end: i64) -> Tail {
        Tail { end: Some(Wall(end * S)), gaps: Vec::new() }
    }

    #[test]
    fn an_open_gap_becomes_exact_with_the_first_fragment() {
        let mut t = tail(10);
        let change = t.open(Wall(12 * S), Cause::NetworkCut);
        assert_eq!(change.put, [g(12, -1, Cause::NetworkCut)]);
        assert_eq!(t.open(Wall(13 * S), Cause::NetworkCut), Change::default());
        assert_eq!(t.open(Wall(15 * S), Cause::CameraAuth).put.len(), 2);
        t.close(Wall(18 * S));
        let change = t.settle(Wall(20 * S), Wall(21 * S), None, Cause::Unknown);
        assert_eq!(change.remove, [Wall(12 * S)]);
        assert_eq!(change.put, [g(10, 15, Cause::NetworkCut), g(15, 20, Cause::CameraAuth)]);
        assert!(t.gaps.is_empty());
    }

    #[test]
    fn a_gap_reported_before_the_footage_it_follows_is_kept() {
        let mut t = tail(10);
        t.add(g(11, 14, Cause::Shed));
        let change = t.settle(Wall(10 * S), Wall(11 * S), None, Cause::Unknown);
        assert_eq!(change, Change::default());
        let change = t.settle(Wall(13 * S), Wall(14 * S), None, Cause::Unknown);
        assert_eq!(change.put, [g(11, 13, Cause::Shed)]);
    }

    #[test]
    fn footage_that_begins_before_the_gap_ends_it_all_the_same() {
        // A recorder that comes back begins with the camera's newest group, which it may have.
        let mut t = tail(10);
        t.open(Wall(10 * S), Cause::SwitchedOff);
        let change = t.settle(Wall(9 * S), Wall(11 * S), None, Cause::Unknown);
        assert_eq!(change.put, [g(11, -1, Cause::SwitchedOff)]);
        let change = t.settle(Wall(11 * S), Wall(12 * S), None, Cause::Unknown);
        assert_eq!(change, Change { remove: vec![Wall(11 * S)], put: Vec::new() });
        assert_eq!(t.gaps, []);
    }

    #[test]
    fn a_hole_without_a_word_is_reported_all_the_same() {
        let mut t = tail(10);
        let change = t.settle(Wall(12 * S), Wall(13 * S), None, Cause::DiskSlow);
        assert_eq!(change.put, [g(10, 12, Cause::DiskSlow)]);
        let change = t.settle(Wall(13 * S + 200_000), Wall(14 * S), None, Cause::Unknown);
        assert_eq!(change, Change::default());
        let own = g(14, 15, Cause::PacketLoss);
        let change = t.settle(Wall(15 * S), Wall(16 * S), Some(own), Cause::Unknown);
        assert_eq!(change.put, [own]);
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_gap() {
        let mut t = tail(10_000);
        assert_eq!(t.settle(Wall(S), Wall(2 * S), None, Cause::Unknown), Change::default());
        assert_eq!(t.open(Wall(3 * S), Cause::NetworkCut).put, [g(3, -1, Cause::NetworkCut)]);
        let change = t.settle(Wall(5 * S), Wall(6 * S), None, Cause::Unknown);
        assert_eq!(change.put, [g(2, 5, Cause::NetworkCut)]);
    }

    #[test]
    fn alternating_causes_are_bounded() {
        let mut t = tail(0);
        for i in 1..1000 {
            t.open(Wall(i * S), if i % 2 == 0 { Cause::NetworkCut } else { Cause::CameraAuth });
        }
        assert_eq!(t.gaps.len(), TAIL_MAX);
        assert_eq!(t.gaps.last().and_then(|g| g.to), None);
    }
}
