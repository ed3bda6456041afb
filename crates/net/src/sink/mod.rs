//! Ways out: each file serves frames of the hub to viewers in one protocol.

pub mod fmp4;
pub mod rtsp;
