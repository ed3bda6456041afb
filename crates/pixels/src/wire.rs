//! What parent and child say to one another, over one stream in each direction.
//!
//! ```text
//! message     kind      1 byte
//!             length    4 bytes, big-endian: bytes of the body
//!             body
//! ```
//!
//! Bodies are fields one after the other: integers big-endian, byte strings and texts with a
//! 4-byte length, the last byte string of a body without. The child says [`Reply::Ready`] or
//! [`Reply::Fault`] once, by itself. After that every request is answered by any number of
//! results and one [`Reply::End`] or [`Reply::Fault`]. Each kind has its own limit of length,
//! which is compared before anything is allocated; whoever breaks a rule is not spoken to again.

mod fields;

use std::fmt;
use std::io::{self, Read, Write};

use media::codec::Codec;

use fields::{Body, Fields};

/// Version of what is written here; parent and child must be of the same.
pub const VERSION: u32 = 1;

/// Largest picture, compressed, that is sent to the child or comes back.
pub const PICTURE_BYTES_MAX: usize = 16 << 20;
/// Largest luma plane: 8K.
pub const LUMA_BYTES_MAX: usize = 7_680 * 4_320;
/// Largest body of every other message.
pub const WORDS_BYTES_MAX: usize = 16 << 10;
/// Longest text in an error.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Most attempts in a report.
const ATTEMPTS_MAX: usize = 64;

/// A picture codec on the wire.
const fn codec_number(codec: Codec) -> u8 {
    match codec {
        Codec::H264 => 1,
        Codec::H265 => 2,
        Codec::Mjpeg => 3,
        Codec::Aac | Codec::G711 | Codec::Opus | Codec::Metadata => 0,
    }
}

fn codec_of(number: u8) -> Result<Codec, Broken> {
    match number {
        1 => Ok(Codec::H264),
        2 => Ok(Codec::H265),
        3 => Ok(Codec::Mjpeg),
        _ => Err(Broken("codec")),
    }
}

/// What an encoder is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderSettings {
    /// H.264 or H.265.
    pub codec: Codec,
    /// Even, at most 7,680.
    pub width: u32,
    /// Even, at most 4,320.
    pub height: u32,
    /// Pictures per second, 1 to 120.
    pub fps: u32,
    /// Bits per second, a ceiling.
    pub bit_rate: u32,
    /// Pictures from key frame to key frame.
    pub gop: u32,
    /// Where the pictures come from.
    pub lens: Lens,
}

/// Where an encoder's pictures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lens {
    /// The test pattern, painted on [`Request::Draw`].
    Pattern,
    /// The device that the child opened at its start, read on [`Request::Capture`].
    Device,
}

/// From the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Decode one key frame, scale it down to `width_max`, make a JPEG of it. Answered by
    /// [`Reply::Jpeg`].
    Jpeg {
        /// Codec of the picture.
        codec: Codec,
        /// Pixels across, at most.
        width_max: u32,
        /// Annex B with its parameter sets, or a JPEG.
        picture: &'a [u8],
    },
    /// Open a decoder, in place of the one that was open.
    OpenDecoder {
        /// Codec of the pictures.
        codec: Codec,
        /// Pixels across, at most.
        width_max: u32,
    },
    /// Decode an access unit. Answered by any number of [`Reply::Luma`], in order of display.
    Decode {
        /// Handed back with the picture.
        pts: i64,
        /// Annex B, or a JPEG.
        picture: &'a [u8],
    },
    /// No access unit follows: the pictures that the decoder still holds.
    Drain,
    /// Open an encoder, in place of the one that was open. Answered by [`Reply::Opened`].
    OpenEncoder(EncoderSettings),
    /// Paint a picture of the pattern and encode it. Answered by [`Reply::Packet`].
    Draw {
        /// Number drawn as the camera's.
        camera: u32,
        /// Number drawn as the picture's.
        frame: u32,
        /// Time drawn: microseconds since 1970.
        wall_us: i64,
    },
    /// Wait for the device's next picture and encode it. Answered by [`Reply::Packet`].
    Capture,
    /// Try to break out of the cage. Answered by [`Reply::Report`].
    Trial,
}

/// From the child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The child is caged and waits for requests.
    Ready(Ready),
    /// A picture.
    Jpeg(&'a [u8]),
    /// An encoder is open; this is what FFmpeg calls it.
    Opened(&'a str),
    /// An encoded picture.
    Packet {
        /// Pictures that the encoder was given before this one.
        number: i64,
        /// Annex B.
        data: &'a [u8],
    },
    /// A decoded picture.
    Luma {
        /// As given with the access unit.
        pts: i64,
        /// Pixels across.
        width: u32,
        /// Rows. There are `width * height` bytes.
        height: u32,
        /// The luma, row by row.
        luma: &'a [u8],
    },
    /// What was tried against the cage.
    Report(Vec<Attempt>),
    /// The request was answered.
    End,
    /// The request failed.
    Fault(Fault),
}

/// What a child says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// [`VERSION`].
    pub version: u32,
    /// Version of Landlock's interface that is enforced; 0 when it is not there.
    pub landlock: u32,
    /// A seccomp filter is on.
    pub seccomp: bool,
    /// Encoders for H.264 and H.265 are there.
    pub encodes: (bool, bool),
    /// Version of libavcodec.
    pub libavcodec: String,
}

/// One attempt to break out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried.
    pub what: String,
    /// Whether the cage held.
    pub refused: bool,
    /// How it ended.
    pub detail: String,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure.
    pub kind: FaultKind,
    /// For people.
    pub text: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The picture cannot be decoded.
    Damaged,
    /// FFmpeg here lacks what is needed.
    Unsupported,
    /// The kernel lacks what the cage is made of.
    Uncaged,
    /// The request makes no sense.
    Misuse,
    /// The device does not do what it should.
    Device,
    /// Anything else.
    Internal,
}

impl FaultKind {
    const ALL: [Self; 6] = [
        Self::Damaged,
        Self::Unsupported,
        Self::Uncaged,
        Self::Misuse,
        Self::Device,
        Self::Internal,
    ];
}

/// What came is not a message: `0` says which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken(pub &'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a message of khien-pixels: {}", self.0)
    }
}

impl std::error::Error for Broken {}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        Self::new(io::ErrorKind::InvalidData, broken)
    }
}

const JPEG: u8 = 1;
const OPEN_DECODER: u8 = 2;
const DECODE: u8 = 3;
const DRAIN: u8 = 4;
const OPEN_ENCODER: u8 = 5;
const DRAW: u8 = 6;
const CAPTURE: u8 = 7;
const TRIAL: u8 = 8;
const READY: u8 = 128;
const JPEG_MADE: u8 = 129;
const OPENED: u8 = 130;
const PACKET: u8 = 131;
const LUMA: u8 = 132;
const REPORT: u8 = 133;
const END: u8 = 134;
const FAULT: u8 = 135;

/// Bytes of a message before its body.
pub const HEAD_BYTES: usize = 5;

/// Kind and length of the body that follows a message's head.
///
/// # Errors
/// When the kind is unknown or the body would be longer than its kind may be.
pub fn head(head: [u8; HEAD_BYTES]) -> Result<(u8, usize), Broken> {
    let [kind, length @ ..] = head;
    let limit = match kind {
        JPEG | DECODE | JPEG_MADE | PACKET => PICTURE_BYTES_MAX + 64,
        LUMA => LUMA_BYTES_MAX + 64,
        OPEN_DECODER | DRAIN | OPEN_ENCODER | DRAW | CAPTURE | TRIAL | READY | OPENED | REPORT
        | END | FAULT => WORDS_BYTES_MAX,
        _ => return Err(Broken("kind")),
    };
    match usize::try_from(u32::from_be_bytes(length)) {
        Ok(length) if length <= limit => Ok((kind, length)),
        _ => Err(Broken("length")),
    }
}

/// Reads a message's body into `body`; its kind, or `None` where the stream ends before one.
///
/// # Errors
/// Those of the stream, and [`Broken`] as `InvalidData`.
pub fn read(input: &mut impl Read, body: &mut Vec<u8>) -> io::Result<Option<u8>> {
    let mut first = [0; HEAD_BYTES];
    let mut have = 0;
    while have < HEAD_BYTES {
        match input.read(&mut first[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let (kind, length) = head(first)?;
    body.clear();
    body.resize(length, 0);
    input.read_exact(body)?;
    Ok(Some(kind))
}

fn write(out: &mut impl Write, kind: u8, body: Body<'_>) -> io::Result<()> {
    let length = body.words.len() + body.tail.len();
    let length = u32::try_from(length).map_err(|_| Broken("length"))?;
    let mut first = [kind, 0, 0, 0, 0];
    first[1..].copy_from_slice(&length.to_be_bytes());
    head(first)?;
    let mut words = first.to_vec();
    words.extend_from_slice(&body.words);
    out.write_all(&words)?;
    out.write_all(body.tail)
}

impl<'a> Request<'a> {
    /// Writes the message.
    ///
    /// # Errors
    /// Those of the stream, and `InvalidData` when a limit is broken.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let body = Body { words: Vec::new(), tail: &[] };
        let (kind, body) = match *self {
            Self::Jpeg { codec, width_max, picture } => {
                (JPEG, Body { tail: picture, ..body.u8(codec_number(codec)).u32(width_max) })
            }
            Self::OpenDecoder { codec, width_max } => {
                (OPEN_DECODER, body.u8(codec_number(codec)).u32(width_max))
            }
            Self::Decode { pts, picture } => (DECODE, Body { tail: picture, ..body.i64(pts) }),
            Self::Drain => (DRAIN, body),
            Self::OpenEncoder(s) => {
                let body = body.u8(codec_number(s.codec)).u32(s.width).u32(s.height).u32(s.fps);
                let device = u8::from(s.lens == Lens::Device);
                (OPEN_ENCODER, body.u32(s.bit_rate).u32(s.gop).u8(device))
            }
            Self::Draw { camera, frame, wall_us } => {
                (DRAW, body.u32(camera).u32(frame).i64(wall_us))
            }
            Self::Capture => (CAPTURE, body),
            Self::Trial => (TRIAL, body),
        };
        write(out, kind, body)
    }

    /// Reads a message's body.
    ///
    /// # Errors
    /// When it is not one of the parent's.
    pub fn parse(kind: u8, body: &'a [u8]) -> Result<Self, Broken> {
        let mut f = Fields(body);
        let request = match kind {
            JPEG => {
                Self::Jpeg { codec: codec_of(f.u8()?)?, width_max: f.u32()?, picture: f.tail() }
            }
            OPEN_DECODER => Self::OpenDecoder { codec: codec_of(f.u8()?)?, width_max: f.u32()? },
            DECODE => Self::Decode { pts: f.i64()?, picture: f.tail() },
            DRAIN => Self::Drain,
            OPEN_ENCODER => Self::OpenEncoder(EncoderSettings {
                codec: codec_of(f.u8()?)?,
                width: f.u32()?,
                height: f.u32()?,
                fps: f.u32()?,
                bit_rate: f.u32()?,
                gop: f.u32()?,
                lens: if f.flag()? { Lens::Device } else { Lens::Pattern },
            }),
            DRAW => Self::Draw { camera: f.u32()?, frame: f.u32()?, wall_us: f.i64()? },
            CAPTURE => Self::Capture,
            TRIAL => Self::Trial,
            _ => return Err(Broken("kind")),
        };
        f.done()?;
        Ok(request)
    }
}

impl<'a> Reply<'a> {
    /// Writes the message.
    ///
    /// # Errors
    /// As [`Request::write`].
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let body = Body { words: Vec::new(), tail: &[] };
        let (kind, body) = match self {
            Self::Ready(r) => {
                let encodes = u8::from(r.encodes.0) | u8::from(r.encodes.1) << 1;
                let body = body.u32(r.version).u32(r.landlock).u8(u8::from(r.seccomp));
                (READY, body.u8(encodes).text(&r.libavcodec))
            }
            Self::Jpeg(jpeg) => (JPEG_MADE, Body { tail: jpeg, ..body }),
            Self::Opened(name) => (OPENED, body.text(name)),
            Self::Packet { number, data } => (PACKET, Body { tail: data, ..body.i64(*number) }),
            Self::Luma { pts, width, height, luma } => {
                (LUMA, Body { tail: luma, ..body.i64(*pts).u32(*width).u32(*height) })
            }
            Self::Report(attempts) => {
                let mut body = body.u8(u8::try_from(attempts.len()).unwrap_or(u8::MAX));
                for a in attempts {
                    body = body.text(&a.what).u8(u8::from(a.refused)).text(&a.detail);
                }
                (REPORT, body)
            }
            Self::End => (END, body),
            Self::Fault(fault) => {
                let number = FaultKind::ALL.iter().position(|k| *k == fault.kind);
                let number = number.and_then(|n| u8::try_from(n).ok()).unwrap_or(u8::MAX);
                (FAULT, body.u8(number).text(&fault.text))
            }
        };
        write(out, kind, body)
    }

    /// Reads a message's body.
    ///
    /// # Errors
    /// When it is not one of the child's.
    pub fn parse(kind: u8, body: &'a [u8]) -> Result<Self, Broken> {
        let mut f = Fields(body);
        let reply = match kind {
            READY => Self::Ready(ready(&mut f)?),
            JPEG_MADE => Self::Jpeg(f.tail()),
            OPENED => Self::Opened(f.text()?),
            PACKET => Self::Packet { number: f.i64()?, data: f.tail() },
            LUMA => {
                let (pts, width, height) = (f.i64()?, f.u32()?, f.u32()?);
                let luma = f.tail();
                if u64::from(width) * u64::from(height) != luma.len() as u64 {
                    return Err(Broken("luma"));
                }
                Self::Luma { pts, width, height, luma }
            }
            REPORT => {
                let count = usize::from(f.u8()?);
                if count > ATTEMPTS_MAX {
                    return Err(Broken("report"));
                }
                let attempt = |f: &mut Fields<'a>| {
                    let what = f.text()?.to_owned();
                    Ok(Attempt { what, refused: f.flag()?, detail: f.text()?.to_owned() })
                };
                Self::Report((0..count).map(|_| attempt(&mut f)).collect::<Result<_, _>>()?)
            }
            END => Self::End,
            FAULT => {
                let kind = FaultKind::ALL.get(usize::from(f.u8()?)).ok_or(Broken("fault"))?;
                Self::Fault(Fault { kind: *kind, text: f.text()?.to_owned() })
            }
            _ => return Err(Broken("kind")),
        };
        f.done()?;
        Ok(reply)
    }
}

fn ready(f: &mut Fields<'_>) -> Result<Ready, Broken> {
    let (version, landlock, seccomp, encodes) = (f.u32()?, f.u32()?, f.flag()?, f.u8()?);
    if encodes > 3 {
        return Err(Broken("encoders"));
    }
    let encodes = (encodes & 1 != 0, encodes & 2 != 0);
    Ok(Ready { version, landlock, seccomp, encodes, libavcodec: f.text()?.to_owned() })
}

#[cfg(test)]
mod tests;
