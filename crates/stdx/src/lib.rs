//! What the standard library lacks and more than one floor of khien needs: an error with a kind,
//! a secret that does not print, sizes and rates that parse the way people write them, back-off.
//!
//! Not here: video, async, serde, SQL. Nothing moves down here with fewer than two users on
//! different floors.

mod backoff;
mod error;
mod secret;
mod size;

pub use backoff::Backoff;
pub use error::{Error, Kind, Result};
pub use secret::Secret;
pub use size::{Bitrate, ByteSize, ParseSizeError};
