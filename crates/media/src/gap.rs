//! Holes in a recording are values: who, from, to, why.

use std::fmt;
use std::str::FromStr;

use crate::Wall;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $slug:literal,)*) => {
        /// Why footage is missing: a closed list, so that reports can be counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Cause { $($(#[$doc])* $name,)* }

        impl Cause {
            /// Every cause there is.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name used on disk, in the API and in metrics.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }
        }

        impl FromStr for Cause {
            type Err = UnknownCause;
            fn from_str(s: &str) -> Result<Self, UnknownCause> {
                match s { $($slug => Ok(Self::$name),)* _ => Err(UnknownCause) }
            }
        }
    };
}

/// The text names no cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCause;

impl fmt::Display for UnknownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a known cause of a gap")
    }
}

impl std::error::Error for UnknownCause {}

causes! {
    /// Connected, but no pictures came.
    CameraSilent = "camera_silent",
    /// The camera went away and came back by itself.
    CameraReboot = "camera_reboot",
    /// It refuses our credentials or its certificate changed.
    CameraAuth = "camera_auth",
    /// Its address does not answer or names another device.
    CameraAddress = "camera_address",
    /// The connection broke.
    NetworkCut = "network_cut",
    /// Packets were lost on the way.
    PacketLoss = "packet_loss",
    /// What it sends cannot be understood.
    BadStream = "bad_stream",
    /// Codec, size or parameters changed.
    CodecChange = "codec_change",
    /// khien was killed or crashed.
    ProcessCrash = "process_crash",
    /// The machine lost power.
    PowerLoss = "power_loss",
    /// No space left.
    DiskFull = "disk_full",
    /// The disk went away.
    DiskLost = "disk_lost",
    /// The disk became read-only.
    DiskReadonly = "disk_readonly",
    /// The disk could not keep up.
    DiskSlow = "disk_slow",
    /// Another disk is in its place.
    DiskWrong = "disk_wrong",
    /// A sync failed.
    FsyncError = "fsync_error",
    /// Recorded bytes changed by themselves.
    BitRot = "bit_rot",
    /// Given up on purpose because something was short.
    Shed = "shed",
    /// Another recorder took over.
    OwnerChange = "owner_change",
    /// khien was being upgraded.
    Upgrade = "upgrade",
    /// A person or a rule switched recording, the camera or khien off.
    SwitchedOff = "switched_off",
    /// Nobody knows; legal in the field, a failure in every test.
    Unknown = "unknown",
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// A hole: nothing of this span is recorded. `to` is exclusive; `None` while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// First instant that is missing.
    pub from: Wall,
    /// First instant that is there again.
    pub to: Option<Wall>,
    /// Why.
    pub cause: Cause,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_reads_back() {
        for &cause in Cause::ALL {
            assert_eq!(cause.slug().parse(), Ok(cause));
        }
        assert_eq!("because".parse::<Cause>(), Err(UnknownCause));
    }
}
