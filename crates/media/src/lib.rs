//! The vocabulary of everything that carries pictures and sound: [`Track`], [`Frame`], groups,
//! the three clocks, ids, and codec parameters read from the bitstream.
//!
//! Not here: sockets, files, clocks, async, serde. A frame is immutable and shared by reference;
//! whoever wants another frame makes one.

pub mod codec;
mod frame;
mod gap;
mod id;
mod time;

pub use codec::Params;
pub use frame::{Frame, Track, TrackKind};
pub use gap::{Cause, Gap};
pub use id::{CameraId, ParseIdError, RunId, TrackId};
pub use time::{ParseWallError, Rate, Ticks, Wall};
