//! Doors to the network: sockets, TLS and timers that drive the machines of `rtsp` and move frames
//! between the wire and the hub. `source/` brings frames in, `sink/` serves them.
//!
//! Not here: the store, the configuration file, accounts. No state outlives a session.

// A door reads the clock; the rooms below are handed `now`.
#![allow(clippy::disallowed_methods)]

pub mod sink;
pub mod source;
mod stop;
pub mod tls;

pub use stop::{Stop, Stopper};

use std::time::{Instant, SystemTime};

use media::Wall;

/// Both clocks, read together.
pub fn now() -> rtsp::Now {
    rtsp::Now { mono: Instant::now(), wall: Wall::from_system(SystemTime::now()) }
}

/// 64 random bits from the system.
pub(crate) fn random() -> u64 {
    // Without randomness from the system nothing that follows would be safe; it does not fail on
    // any Linux after boot.
    getrandom::u64().expect("the system's random source works")
}
