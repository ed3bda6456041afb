//! Arithmetic of spans on the house's time line. Pure; knows neither files nor cameras.
//!
//! The rule of the answer: inside what is known of a camera, every instant is recorded, or missing
//! with a cause, or expired; never two of them, never none.

use media::{Cause, Gap, Wall};

/// Holes shorter than this between two pieces of footage are jitter, unless a gap names them.
pub const JITTER_US: i64 = 250_000;

/// A piece of the time line; `to` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: Wall,
    /// First instant after it.
    pub to: Wall,
}

/// What is known of a camera between two instants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// Footage, ordered, without overlaps.
    pub spans: Vec<Span>,
    /// What is missing, ordered, without overlaps; only the last may be open.
    pub gaps: Vec<Gap>,
    /// Footage that retention deleted.
    pub expired: Vec<Span>,
}

impl Span {
    /// The part of it inside `other`.
    pub fn clip(self, other: Self) -> Option<Self> {
        let cut = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (cut.from < cut.to).then_some(cut)
    }
}

/// Sorts spans and joins those that overlap or are at most `slack_us` apart.
pub(crate) fn merge(mut spans: Vec<Span>, slack_us: i64) -> Vec<Span> {
    spans.retain(|s| s.from < s.to);
    spans.sort_unstable_by_key(|s| (s.from, s.to));
    let mut out: Vec<Span> = Vec::new();
    for span in spans {
        match out.last_mut() {
            Some(last) if span.from.us_since(last.to) <= slack_us => last.to = last.to.max(span.to),
            _ => out.push(span),
        }
    }
    out
}

/// What of `spans` no span of `holes` covers; both merged.
pub(crate) fn subtract(spans: &[Span], holes: &[Span]) -> Vec<Span> {
    let mut out = Vec::new();
    let mut first = 0;
    for span in spans {
        while holes.get(first).is_some_and(|h| h.to <= span.from) {
            first += 1;
        }
        let mut from = span.from;
        for hole in holes[first..].iter().take_while(|h| h.from < span.to) {
            if from < hole.from {
                out.push(Span { from, to: hole.from });
            }
            from = from.max(hole.to);
        }
        if from < span.to {
            out.push(Span { from, to: span.to });
        }
    }
    out
}

/// What [`compose`] puts together.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Pieces of footage, in any order.
    pub footage: Vec<Span>,
    /// Recorded gaps, in any order, overlapping or not.
    pub gaps: Vec<Gap>,
    /// Expired spans.
    pub expired: Vec<Span>,
    /// First instant anything is known of.
    pub first: Option<Wall>,
    /// Where the footage ends.
    pub last: Option<Wall>,
}

/// The time line within `[from, to)`. Recorded gaps win over footage, footage over expired spans;
/// holes that nothing explains are gaps of unknown cause. Nothing is said of the time before the
/// first known instant, or after the footage ends unless a gap is open.
pub(crate) fn compose(known: Known, from: Wall, to: Wall) -> Timeline {
    let window = Span { from, to };
    let clip = |s: &Span| s.clip(window);
    let gaps = disjoint(known.gaps, known.last, window);
    let closed: Vec<Span> =
        gaps.iter().map(|g| Span { from: g.from, to: g.to.unwrap_or(to).max(g.from) }).collect();
    let footage = merge(known.footage, JITTER_US);
    let spans = subtract(&footage, &closed);
    let mut taken = merge(spans.iter().copied().chain(closed.iter().copied()).collect(), 0);
    let expired = subtract(&merge(known.expired, 0), &taken);
    taken = merge(taken.into_iter().chain(expired.iter().copied()).collect(), 0);
    let mut all = gaps;
    if let (Some(first), Some(last)) = (known.first, known.last) {
        let whole = Span { from: first, to: last }.clip(window);
        let unknown = whole.map_or(Vec::new(), |w| subtract(&[w], &taken));
        all.extend(unknown.into_iter().map(|s| Gap {
            from: s.from,
            to: Some(s.to),
            cause: Cause::Unknown,
        }));
    }
    all.sort_unstable_by_key(|g| g.from);
    Timeline {
        spans: spans.iter().filter_map(clip).collect(),
        gaps: all,
        expired: expired.iter().filter_map(clip).collect(),
    }
}

/// Gaps within the window, in order, without overlaps. Only a gap after the last footage stays
/// open.
fn disjoint(mut gaps: Vec<Gap>, last: Option<Wall>, window: Span) -> Vec<Gap> {
    gaps.sort_unstable_by_key(|g| g.from);
    let mut out: Vec<Gap> = Vec::new();
    let mut at = window.from;
    let mut gaps = gaps.into_iter().peekable();
    while let Some(gap) = gaps.next() {
        let next = gaps.peek().map(|n| n.from);
        // An open gap ends where another begins, or with footage that came after it.
        let ends = match (gap.to, next, last) {
            (Some(to), _, _) => Some(to),
            (None, Some(next), _) => Some(next),
            (None, None, Some(last)) if last > gap.from => Some(last),
            (None, None, _) => None,
        };
        let from = gap.from.max(at);
        if from >= window.to || ends.is_some_and(|to| to <= from) {
            continue;
        }
        // Beyond the window an open gap is still open: the asker may show it so.
        let to = ends.map(|to| to.min(window.to));
        at = to.unwrap_or(window.to);
        out.push(Gap { from, to, cause: gap.cause });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(from: i64, to: i64) -> Span {
        Span { from: Wall(from), to: Wall(to) }
    }

    fn g(from: i64, to: i64) -> Gap {
        Gap { from: Wall(from), to: (to >= 0).then_some(Wall(to)), cause: Cause::NetworkCut }
    }

    #[test]
    fn merges_and_subtracts() {
        for (spans, slack, want) in [
            (vec![s(5, 9), s(0, 3), s(9, 10)], 0, vec![s(0, 3), s(5, 10)]),
            (vec![s(5, 9), s(0, 3)], 2, vec![s(0, 9)]),
            (vec![s(0, 10), s(2, 3), s(4, 4)], 0, vec![s(0, 10)]),
        ] {
            assert_eq!(merge(spans, slack), want);
        }
        for (spans, holes, want) in [
            (vec![s(0, 10)], vec![s(2, 3), s(5, 20)], vec![s(0, 2), s(3, 5)]),
            (vec![s(0, 10), s(20, 30)], vec![s(5, 25)], vec![s(0, 5), s(25, 30)]),
            (vec![s(0, 10)], vec![s(0, 10)], vec![]),
            (vec![s(0, 10)], vec![], vec![s(0, 10)]),
        ] {
            assert_eq!(subtract(&spans, &holes), want);
        }
    }

    #[test]
    fn every_instant_is_told_once() {
        let known = Known {
            footage: vec![s(1_000_000, 2_000_000), s(5_000_000, 9_000_000)],
            gaps: vec![g(2_000_000, 3_000_000), g(9_000_000, -1)],
            expired: vec![s(0, 1_500_000)],
            first: Some(Wall(0)),
            last: Some(Wall(9_000_000)),
        };
        let t = compose(known, Wall(0), Wall(12_000_000));
        assert_eq!(t.spans, [s(1_000_000, 2_000_000), s(5_000_000, 9_000_000)]);
        assert_eq!(t.expired, [s(0, 1_000_000)]);
        let unknown =
            Gap { from: Wall(3_000_000), to: Some(Wall(5_000_000)), cause: Cause::Unknown };
        assert_eq!(t.gaps, [g(2_000_000, 3_000_000), unknown, g(9_000_000, -1)]);
    }

    #[test]
    fn nothing_is_claimed_before_the_first_or_after_the_last_footage() {
        let known = Known {
            footage: vec![s(10_000_000, 20_000_000)],
            first: Some(Wall(10_000_000)),
            last: Some(Wall(20_000_000)),
            ..Known::default()
        };
        let t = compose(known, Wall(0), Wall(99_000_000));
        assert_eq!((t.spans, t.gaps), (vec![s(10_000_000, 20_000_000)], vec![]));
    }
}
