//! G.711 (ITU-T): one byte per sample, A-law or µ-law.

/// Which of the two companding laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// A-law: RTP `PCMA`, payload type 8.
    A,
    /// µ-law: RTP `PCMU`, payload type 0.
    Mu,
}

/// What a player must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Params {
    /// The law.
    pub law: Law,
    /// Samples per second; 8 000 nearly always.
    pub sample_rate: u32,
    /// Channels; 1 nearly always.
    pub channels: u8,
}

impl Params {
    /// QuickTime's sample entry codes; RFC 6381 has none of its own.
    pub fn codec_string(&self) -> String {
        match self.law {
            Law::A => "alaw".to_owned(),
            Law::Mu => "ulaw".to_owned(),
        }
    }
}
