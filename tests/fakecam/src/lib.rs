//! A scriptable, misbehaving RTSP camera for tests. It is deliberately plain (threads, blocking
//! sockets) and shares no code with the rooms it tests, so that one misunderstanding cannot hide
//! on both sides of the wire.
//!
//! ```no_run
//! let camera = fakecam::Camera::start(fakecam::Config::for_quirk(fakecam::Quirk::NalAnnexb))?;
//! println!("{}", camera.url());
//! let seen = camera.stats();
//! assert!(seen.requests.is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A [`Camera`] runs in threads of the calling process and stops when it is dropped. The clips it
//! plays are made by `scripts/make-media`, which [`ensure_media`] runs if need be. Each H.264 and
//! H.265 picture carries its number in an SEI message: [`frame_number`] reads it back.

// A camera is a door: it has sockets and a clock, and nothing async.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod auth;
mod camera;
mod cli;
mod clip;
mod config;
mod connection;
mod describe;
mod link;
mod output;
mod pack;
mod play;
mod quirk;
mod setup;
mod stats;
mod tls;
mod twist;
mod wire;

pub use camera::Camera;
pub use cli::{Command, parse as parse_arguments};
pub use clip::{ensure_media, frame_number};
pub use config::{Audio, Config, Faults, Loss, Media, Timers};
pub use quirk::{Quirk, UnknownQuirk};
pub use stats::{Seen, SentFrame, Stats};
