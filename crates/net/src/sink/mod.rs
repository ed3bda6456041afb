//! Ways out: each file serves frames of the hub to viewers in one protocol.

pub mod fmp4;
mod memo;
pub mod rtsp;
