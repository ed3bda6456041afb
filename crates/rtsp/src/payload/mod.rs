//! RTP packets to frames.
