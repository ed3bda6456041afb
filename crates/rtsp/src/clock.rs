//! RTP timestamps to media time and wall time.
