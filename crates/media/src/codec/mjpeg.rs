//! Motion JPEG (ITU-T T.81): one baseline picture per frame.

use super::Error;

/// What a player must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Params {
    /// Width of the picture.
    pub width: u32,
    /// Height of the picture.
    pub height: u32,
}
