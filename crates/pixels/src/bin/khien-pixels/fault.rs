//! Failures as they are told to the parent.

use pixels::wire::{Fault, FaultKind};

/// A result whose error is told to the parent.
pub(crate) type Faulty<T> = Result<T, Fault>;

pub(crate) fn fault(kind: FaultKind, text: impl Into<String>) -> Fault {
    Fault { kind, text: text.into() }
}

/// The picture cannot be decoded.
pub(crate) fn damaged(e: ffmpeg_next::Error) -> Fault {
    fault(FaultKind::Damaged, format!("the picture cannot be decoded ({e})"))
}

/// FFmpeg refuses something that should work.
pub(crate) fn internal(what: &str, e: ffmpeg_next::Error) -> Fault {
    fault(FaultKind::Internal, format!("FFmpeg: {what}: {e}"))
}
