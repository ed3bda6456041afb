//! Pictures: decode, scale, encode, JPEG. The only room with C codecs, and they are not in this
//! library either: they live in `khien-pixels`, a child process that the types here start and
//! speak to. The child shuts itself in before it looks at its first input: no files, no network,
//! no other programs, limited memory (`src/bin/khien-pixels/cage.rs`). A child that crashes,
//! hangs or talks nonsense is killed; the request fails with an error and the next one starts
//! another.
//!
//! - [`Worker`]: single pictures, one after the other: a JPEG of a key frame.
//! - [`Decoder`]: the luma of every picture of a track.
//! - [`Encoder`]: the software camera's pictures, painted and encoded in the child.
//! - [`pattern`]: the test pattern and what can be read back from it.
//!
//! Not here: network, files, secrets. Everything blocks; async callers bring a thread.

// A door reads the clock; the rooms below are handed `now`.
#![allow(clippy::disallowed_methods)]

mod child;
mod decoder;
mod encoder;
pub mod pattern;
pub mod wire;
mod worker;

pub use child::{Config, Facts};
pub use decoder::{Decoder, Luma};
pub use encoder::{Device, Encoder, Packet, Settings};
pub use wire::Attempt;
pub use worker::Worker;
