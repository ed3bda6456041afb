//! Paints the pattern. Large flat areas, and only what moved is painted again: the encoder passes
//! over what did not change, so a camera costs little.

use media::Wall;

use super::code::{BLACK, COLUMNS, LEFT, ROWS, SYNC, WHITE, WIDE, sync_is_white};
use super::{Code, Stamp, font};

/// One plane of a picture in memory.
pub struct Plane<'a> {
    /// The rows, top first.
    pub data: &'a mut [u8],
    /// Bytes from row to row.
    pub stride: usize,
}

impl Plane<'_> {
    /// What lies outside the plane is left out.
    fn fill(&mut self, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>, value: u8) {
        for row in rows {
            let start = row * self.stride;
            let end = (start + columns.end).min(start + self.stride);
            if let Some(pixels) = self.data.get_mut(start + columns.start..end) {
                pixels.fill(value);
            }
        }
    }
}

/// The two colour planes of 4:2:0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma {
    /// Blue difference.
    Cb,
    /// Red difference.
    Cr,
}

/// Paints one camera's pattern, picture after picture, into the same 4:2:0 buffer (8 bits,
/// BT.709, video range).
#[derive(Debug)]
pub struct Painter {
    width: usize,
    height: usize,
    last: Option<Drawn>,
}

#[derive(Debug)]
struct Drawn {
    code: Code,
    clock: String,
    names: String,
    mover: usize,
}

/// BT.709 colour bars at 75%: Y, Cb, Cr.
const BARS: [(u8, u8, u8); 8] = [
    (180, 128, 128),
    (168, 44, 136),
    (145, 147, 44),
    (133, 63, 52),
    (63, 193, 204),
    (51, 109, 212),
    (28, 212, 120),
    (16, 128, 128),
];
/// Rows, of [`ROWS`], where things stand.
const BARS_END: usize = 7;
const TRACK: std::ops::Range<usize> = 7..9;
const TEXT: std::ops::Range<usize> = 9..15;
const RAMP: std::ops::Range<usize> = 15..18;
const TRACK_LUMA: u8 = 96;
const MOVER_LUMA: u8 = 208;
const TEXT_LUMA: u8 = 224;
const GROUND_LUMA: u8 = 24;
/// The mover goes once there and back in this time.
const SWING_US: i64 = 4_000_000;
/// The longest line of text decides how large characters are.
const LINE_CHARACTERS: usize = 28;

impl Painter {
    /// For pictures of this size, both even.
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height, last: None }
    }

    /// Paints a colour plane. Colours do not move: once for a buffer is enough.
    pub fn chroma(&self, which: Chroma, plane: &mut Plane<'_>) {
        plane.fill(0..self.width / 2, 0..self.height / 2, 128);
        for (i, bar) in BARS.iter().enumerate() {
            let value = if which == Chroma::Cb { bar.1 } else { bar.2 };
            let columns = self.columns(i * 5..(i + 1) * 5);
            let rows = self.rows(0..BARS_END);
            plane.fill(columns.start / 2..columns.end / 2, rows.start / 2..rows.end / 2, value);
        }
    }

    /// Paints the luma plane: all of it the first time, then what `stamp` changes. The plane must
    /// be the one of the call before.
    pub fn luma(&mut self, plane: &mut Plane<'_>, stamp: &Stamp) {
        if self.last.is_none() {
            self.ground(plane);
        }
        let code = Code::from(*stamp);
        let mut before = self.last.as_ref().map(|l| l.code.cells());
        for (column, row, white) in code.cells() {
            let old = before.as_mut().and_then(Iterator::next);
            if old.is_none_or(|(.., was)| was != white) {
                let value = if white { WHITE } else { BLACK };
                plane.fill(self.columns(column..column + 1), self.rows(row..row + 1), value);
            }
        }
        let clock = clock(stamp.wall);
        let names = format!("CAMERA {}  FRAME {}", stamp.camera, stamp.frame);
        let last = self.last.as_ref();
        self.text(plane, 0, last.map_or("", |l| &l.clock), &clock);
        self.text(plane, 1, last.map_or("", |l| &l.names), &names);
        let mover = self.mover(stamp.wall);
        if last.is_none_or(|l| l.mover != mover) {
            let (rows, wide) = (self.rows(TRACK), self.width / 20);
            if let Some(last) = last {
                plane.fill(last.mover..last.mover + wide, rows.clone(), TRACK_LUMA);
            }
            plane.fill(mover..mover + wide, rows, MOVER_LUMA);
        }
        self.last = Some(Drawn { code, clock, names, mover });
    }

    /// Everything that stands still.
    fn ground(&self, plane: &mut Plane<'_>) {
        plane.fill(0..self.width, 0..self.height, GROUND_LUMA);
        for (i, bar) in BARS.iter().enumerate() {
            plane.fill(self.columns(i * 5..(i + 1) * 5), self.rows(0..BARS_END), bar.0);
        }
        plane.fill(0..self.width, self.rows(TRACK), TRACK_LUMA);
        for step in 0..COLUMNS {
            let value = 16 + step * 219 / (COLUMNS - 1);
            let value = u8::try_from(value).unwrap_or(u8::MAX);
            plane.fill(self.columns(step..step + 1), self.rows(RAMP), value);
        }
        plane.fill(0..self.width, self.rows(SYNC..ROWS), BLACK);
        for column in (LEFT..LEFT + WIDE).filter(|c| sync_is_white(*c)) {
            plane.fill(self.columns(column..column + 1), self.rows(SYNC..SYNC + 1), WHITE);
        }
    }

    fn columns(&self, cells: std::ops::Range<usize>) -> std::ops::Range<usize> {
        edge(cells.start, COLUMNS, self.width)..edge(cells.end, COLUMNS, self.width)
    }

    fn rows(&self, cells: std::ops::Range<usize>) -> std::ops::Range<usize> {
        edge(cells.start, ROWS, self.height)..edge(cells.end, ROWS, self.height)
    }

    /// Left edge of what moves, on a multiple of four.
    fn mover(&self, wall: Wall) -> usize {
        let phase = wall.0.rem_euclid(SWING_US);
        let way = phase.min(SWING_US - phase);
        let room = self.width - self.width / 20;
        let x = i128::from(way) * 2 * room as i128 / i128::from(SWING_US);
        usize::try_from(x).unwrap_or(0) / 4 * 4
    }

    /// A line of text; only characters that differ from `old` are painted.
    fn text(&self, plane: &mut Plane<'_>, line: usize, old: &str, new: &str) {
        let dot = (self.width / (LINE_CHARACTERS * (font::WIDTH + 1))).max(1);
        let rows = self.rows(TEXT);
        let top = rows.start + dot + line * (rows.len() / 2);
        let left = 2 * dot;
        for i in 0..new.len().max(old.len()) {
            let (was, is) = (old.as_bytes().get(i), new.as_bytes().get(i));
            if was == is {
                continue;
            }
            let x = left + i * (font::WIDTH + 1) * dot;
            let across = font::WIDTH * dot;
            let down = font::HEIGHT * dot;
            if x + across > self.width {
                break;
            }
            plane.fill(x..x + across, top..(top + down).min(rows.end), GROUND_LUMA);
            for (r, bits) in font::glyph(is.copied().unwrap_or(b' ')).into_iter().enumerate() {
                let y = top + r * dot;
                for c in (0..font::WIDTH).filter(|c| bits >> (font::WIDTH - 1 - c) & 1 == 1) {
                    let x = x + c * dot;
                    plane.fill(x..x + dot, y..(y + dot).min(rows.end), TEXT_LUMA);
                }
            }
        }
    }
}

/// Pixel at which cell `n` of `count` begins: the exact place, moved to the nearest multiple of
/// four, or of two where cells are small, so that it falls on the edge of a transform block.
fn edge(n: usize, count: usize, size: usize) -> usize {
    if n == count {
        return size;
    }
    let step = if size / count >= 12 { 4 } else { 2 };
    (n * size + count * step / 2) / (count * step) * step
}

/// `2026-08-01 07:00:00.123 UTC`
fn clock(wall: Wall) -> String {
    let text = wall.to_string();
    match (text.get(..10), text.get(11..23)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn stamp(frame: u32, wall: i64) -> Stamp {
        Stamp { camera: 12, frame, wall: Wall(wall) }
    }

    #[test]
    fn what_is_painted_is_read_at_every_size() {
        for (width, height) in [
            (160, 120),
            (320, 180),
            (640, 360),
            (704, 576),
            (1280, 960),
            (1920, 1080),
            (1000, 1000),
        ] {
            let mut painter = Painter::new(width, height);
            let mut luma = vec![0; width * height];
            for n in 0..40 {
                let stamp = stamp(n, 1_795_000_000_000_000 + i64::from(n) * 33_333);
                painter.luma(&mut Plane { data: &mut luma, stride: width }, &stamp);
                assert_eq!(read(&luma, width, height, width), Some(stamp.into()), "{width}");
            }
        }
    }

    #[test]
    fn painting_over_the_last_picture_gives_the_same_as_painting_afresh() {
        let (width, height, stride) = (642, 360, 672);
        let mut luma = vec![0; stride * height];
        let mut painter = Painter::new(width, height);
        for (n, wall) in [(9, 5_000_000), (10, 5_100_000), (1_000, 2_000_000_000), (3, 1)] {
            painter.luma(&mut Plane { data: &mut luma, stride }, &stamp(n, wall));
            let mut fresh = vec![0; stride * height];
            Painter::new(width, height)
                .luma(&mut Plane { data: &mut fresh, stride }, &stamp(n, wall));
            assert!(luma == fresh, "frame {n}");
        }
    }

    #[test]
    fn edges_are_near_the_exact_place_and_in_order() {
        for size in [160, 180, 320, 360, 640, 1080, 1920, 2160, 3840] {
            for count in [COLUMNS, ROWS] {
                for n in 0..count {
                    let (a, b) = (edge(n, count, size), edge(n + 1, count, size));
                    assert!(a < b, "{size} {n}");
                    // A reader keeps three tenths of a cell away from edges.
                    assert!((a * count).abs_diff(n * size) * 10 <= 3 * size, "{size} {n}");
                }
            }
        }
    }

    #[test]
    fn the_clock_is_readable() {
        let wall = "2026-08-01T07:00:00.123456Z".parse().unwrap();
        assert_eq!(clock(wall), "2026-08-01 07:00:00.123 UTC");
        assert!(!clock(Wall(i64::MAX)).is_empty());
    }

    #[test]
    fn planes_too_small_are_not_written_past() {
        let mut painter = Painter::new(640, 360);
        let mut small = vec![0; 1_000];
        painter.luma(&mut Plane { data: &mut small, stride: 640 }, &stamp(1, i64::MIN));
        painter.chroma(Chroma::Cb, &mut Plane { data: &mut small, stride: 1 });
    }
}
