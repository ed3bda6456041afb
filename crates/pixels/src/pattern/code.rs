//! The block code: 144 bits as black and white cells near the bottom of the picture.
//!
//! The picture is divided into 40 columns and 24 rows. Row 18 is the synchronisation row, rows 19
//! to 22 carry data; in each, columns 2 to 37. `docs/ref/pattern.md` says it all exactly.

/// What the block code carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code {
    /// The camera's number.
    pub camera: u32,
    /// The picture's number.
    pub frame: u32,
    /// When it was taken: milliseconds since 1970 UTC, 48 bits.
    pub wall_ms: u64,
}

/// Columns of the whole picture.
pub(super) const COLUMNS: usize = 40;
/// Rows of the whole picture.
pub(super) const ROWS: usize = 24;
/// First column of the code.
pub(super) const LEFT: usize = 2;
/// Columns of the code.
pub(super) const WIDE: usize = 36;
/// The synchronisation row.
pub(super) const SYNC: usize = 18;
/// The first of the four rows of data.
const DATA: usize = 19;
/// Luma of a zero bit and of what surrounds the code.
pub(super) const BLACK: u8 = 40;
/// Luma of a one bit.
pub(super) const WHITE: u8 = 216;

const BYTES: usize = 18;
const BITS: usize = BYTES * 8;

/// Cells must be at least this large in a picture that is read.
const CELL_MIN: usize = 3;
/// Larger pictures are not looked at.
const SIDE_MAX: usize = 1 << 16;
/// White must be this much lighter than black.
const CONTRAST_MIN: u32 = 40;

impl Code {
    /// Largest time that 48 bits hold.
    pub const WALL_MS_MAX: u64 = (1 << 48) - 1;

    fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(&self.camera.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.frame.to_be_bytes());
        bytes[8..14].copy_from_slice(&self.wall_ms.to_be_bytes()[2..]);
        let sum = crc32(&bytes[..14]);
        bytes[14..].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8; BYTES]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if crc32(&bytes[..14]) != word(14)? {
            return None;
        }
        let low = u64::from(word(10)?);
        let high = u64::from(u16::from_be_bytes([bytes[8], bytes[9]]));
        Some(Self { camera: word(0)?, frame: word(4)?, wall_ms: high << 32 | low })
    }

    /// The data cells in reading order: column, row, and whether it is white.
    pub(super) fn cells(&self) -> impl Iterator<Item = (usize, usize, bool)> + use<> {
        let bytes = self.bytes();
        (0..BITS).map(move |i| {
            let bit = bytes[i / 8] >> (7 - i % 8) & 1 == 1;
            (LEFT + i % WIDE, DATA + i / WIDE, bit)
        })
    }
}

/// Whether a column of the synchronisation row is white.
pub(super) const fn sync_is_white(column: usize) -> bool {
    column.wrapping_sub(LEFT).is_multiple_of(2)
}

/// The CRC-32 of zlib and PNG (reflected polynomial EDB88320, start and end inverted).
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let low = sum & 1;
            sum >>= 1;
            if low == 1 {
                sum ^= 0xedb8_8320;
            }
        }
    }
    !sum
}

/// Reads the block code from the luma of a picture of any size, `stride` bytes from row to row.
/// `None` when there is none, when it is damaged, or when the picture is smaller than 3 pixels a
/// cell or larger than 65,536 either way. Never panics, whatever the picture.
pub fn read(luma: &[u8], width: usize, height: usize, stride: usize) -> Option<Code> {
    let small = width / COLUMNS < CELL_MIN || height / ROWS < CELL_MIN;
    if small || width.max(height) > SIDE_MAX || stride < width {
        return None;
    }
    let cell =
        |column, row| mean(luma, stride, middle(column, width, COLUMNS), middle(row, height, ROWS));
    let (mut white, mut black) = (0, 0);
    for column in LEFT..LEFT + WIDE {
        let value = cell(column, SYNC)?;
        if sync_is_white(column) { white += value } else { black += value }
    }
    let pairs = (WIDE / 2) as u32;
    let (white, black) = (white / pairs, black / pairs);
    if white < black + CONTRAST_MIN {
        return None;
    }
    let threshold = white.midpoint(black);
    for column in LEFT..LEFT + WIDE {
        if (cell(column, SYNC)? > threshold) != sync_is_white(column) {
            return None;
        }
    }
    let mut bytes = [0; BYTES];
    for i in 0..BITS {
        if cell(LEFT + i % WIDE, DATA + i / WIDE)? > threshold {
            bytes[i / 8] |= 0x80 >> (i % 8);
        }
    }
    Code::parse(&bytes)
}

/// Pixels of the middle of cell `n` of `count` across `size`: three tenths in from either side.
fn middle(n: usize, size: usize, count: usize) -> std::ops::Range<usize> {
    let from = (10 * n + 3) * size / (10 * count);
    let to = ((10 * n + 7) * size).div_ceil(10 * count);
    from..to
}

fn mean(
    luma: &[u8],
    stride: usize,
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
) -> Option<u32> {
    let (mut sum, mut count) = (0, 0);
    for row in rows {
        let start = row.checked_mul(stride)?;
        let pixels =
            luma.get(start.checked_add(columns.start)?..start.checked_add(columns.end)?)?;
        sum += pixels.iter().map(|p| u32::from(*p)).sum::<u32>();
        count += u32::try_from(pixels.len()).ok()?;
    }
    sum.checked_div(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with the code painted exactly, without snapping.
    fn painted(code: &Code, width: usize, height: usize) -> Vec<u8> {
        let mut luma = vec![BLACK; width * height];
        let sync = (LEFT..LEFT + WIDE).map(|c| (c, SYNC, sync_is_white(c)));
        for (column, row, _) in sync.chain(code.cells()).filter(|(.., white)| *white) {
            for y in row * height / ROWS..(row + 1) * height / ROWS {
                for x in column * width / COLUMNS..(column + 1) * width / COLUMNS {
                    luma[y * width + x] = WHITE;
                }
            }
        }
        luma
    }

    /// Numbers that look random, the same every time.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }
    }

    #[test]
    fn the_checksum_is_the_one_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn any_code_is_read_back_at_any_size() {
        let mut dice = Dice(0x1234_5678_9abc_def1);
        for _ in 0..200 {
            let code = Code {
                camera: dice.roll() as u32,
                frame: dice.roll() as u32,
                wall_ms: dice.roll() & Code::WALL_MS_MAX,
            };
            let width = 120 + (dice.roll() % 500) as usize;
            let height = 72 + (dice.roll() % 400) as usize;
            assert_eq!(read(&painted(&code, width, height), width, height, width), Some(code));
        }
    }

    #[test]
    fn the_order_of_bits_is_the_one_documented() {
        let code = Code { camera: 0x8000_0001, frame: 0, wall_ms: 1 };
        let cells: Vec<_> = code.cells().collect();
        assert_eq!(cells.len(), 144);
        assert_eq!(cells[0], (2, 19, true));
        assert_eq!(cells[31], (33, 19, true));
        // Bit 111 is the last of the time; 36 cells to a row.
        assert_eq!(cells[111], (2 + 111 % 36, 19 + 111 / 36, true));
        assert_eq!(cells[..112].iter().filter(|c| c.2).count(), 3);
    }

    #[test]
    fn one_wrong_cell_is_noticed() {
        let code = Code { camera: 7, frame: 1_000, wall_ms: 1_800_000_000_000 };
        let clean = painted(&code, 320, 180);
        for (column, row, white) in code.cells() {
            let mut luma = clean.clone();
            for y in row * 180 / ROWS..(row + 1) * 180 / ROWS {
                for x in column * 8..(column + 1) * 8 {
                    luma[y * 320 + x] = if white { BLACK } else { WHITE };
                }
            }
            assert_eq!(read(&luma, 320, 180, 320), None, "{column} {row}");
        }
    }

    #[test]
    fn noise_flat_pictures_and_wrong_sizes_hold_no_code() {
        let mut dice = Dice(0xfeed_beef_cafe_0001);
        for _ in 0..300 {
            let luma: Vec<u8> = (0..320 * 180).map(|_| dice.roll() as u8).collect();
            assert_eq!(read(&luma, 320, 180, 320), None);
            let (w, h, s) = (dice.roll() as usize, dice.roll() as usize, dice.roll() as usize);
            assert_eq!(read(&luma, w % 4_000, h % 4_000, s % 4_000), None);
        }
        for flat in [0, 128, 255] {
            assert_eq!(read(&vec![flat; 320 * 180], 320, 180, 320), None);
        }
        for (w, h, s) in [(0, 0, 0), (usize::MAX / 8, 180, usize::MAX), (320, 180, 319)] {
            assert_eq!(read(&[0; 64], w, h, s), None);
        }
    }

    #[test]
    fn a_noisy_washed_out_code_is_still_read() {
        let mut dice = Dice(0x0bad_5eed_0bad_5eed);
        let code = Code { camera: 3, frame: 99, wall_ms: 1_790_000_000_123 };
        for _ in 0..50 {
            let mut luma = painted(&code, 320, 180);
            for p in &mut luma {
                // Half the contrast, darker, with noise of +-20.
                let faded = 10 + u32::from(*p) / 2 + (dice.roll() % 41) as u32;
                *p = (faded - 10).min(255) as u8;
            }
            assert_eq!(read(&luma, 320, 180, 320), Some(code));
        }
    }
}
