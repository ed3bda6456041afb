//! The test pattern: what the software camera shows when it has no lens.
//!
//! Every picture carries the camera's number, its own number and the time it was taken, three
//! times over: as text for people ([`Painter`]), as a block code that survives compression and
//! scaling ([`read`]), and in an SEI message beside the picture ([`read_sei`]). With that a test
//! can account for every frame, wherever it ends up. `docs/ref/pattern.md` is the specification
//! of both codes, for readers in other languages.
//!
//! Pure functions over bytes; knows no codec library and no clock.

mod code;
mod font;
mod paint;
mod sei;

pub use code::{Code, read};
pub use paint::{Chroma, Painter, Plane};
pub use sei::{UUID, read_sei};

pub(crate) use sei::{Syntax, unit as sei_unit};

use media::Wall;

/// What a picture of the pattern says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The camera's number.
    pub camera: u32,
    /// The picture's number: grows by one with every picture that was drawn.
    pub frame: u32,
    /// When it was taken.
    pub wall: Wall,
}

impl From<Stamp> for Code {
    fn from(stamp: Stamp) -> Self {
        let wall_ms = u64::try_from(stamp.wall.0.div_euclid(1_000)).unwrap_or(0);
        Self { camera: stamp.camera, frame: stamp.frame, wall_ms: wall_ms & Self::WALL_MS_MAX }
    }
}
