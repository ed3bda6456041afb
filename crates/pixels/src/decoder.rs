//! The luma of a track's pictures, decoded in a child of its own.

use media::{Frame, Params};
use stdx::Result;

use crate::child::{self, Child, Config};
use crate::wire::{Reply, Request};
use crate::worker::stream;

/// A decoded picture, as far as it is needed to look for something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    /// Of the frame it was decoded from, ticks.
    pub pts: i64,
    /// Pixels across.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` bytes, row by row.
    pub luma: Vec<u8>,
}

/// Decodes the pictures of one track, in order. After an error it may be used further unless the
/// child is gone, in which case every call fails: open another.
#[derive(Debug)]
pub struct Decoder {
    child: Child,
    params: Params,
}

impl Decoder {
    /// Starts a child and opens a decoder for this codec. Pictures are scaled down to
    /// `width_max`.
    ///
    /// # Errors
    /// As [`crate::Worker::check`]; `Unsupported` when FFmpeg has no such decoder.
    pub fn open(config: &Config, params: &Params, width_max: u32) -> Result<Self> {
        let mut child = Child::start(config, &[])?;
        let codec = params.codec();
        child.ask(Request::OpenDecoder { codec, width_max }, |_| Err(child::unexpected()))?;
        Ok(Self { child, params: Params::Pending(codec) })
    }

    /// Decodes a frame: the pictures that are ready, in order of display.
    ///
    /// # Errors
    /// `DataLoss` when it cannot be decoded, `Unavailable` when the child is gone.
    pub fn decode(&mut self, frame: &Frame) -> Result<Vec<Luma>> {
        // Parameter sets go in front when they are new, and of every key frame.
        let picture = if frame.random_access || self.params != *frame.params {
            self.params = (*frame.params).clone();
            stream(&frame.params, &frame.data)?
        } else {
            stream(&Params::Pending(frame.params.codec()), &frame.data)?
        };
        self.pictures(Request::Decode { pts: frame.pts.0, picture: &picture })
    }

    /// The pictures that are left when no frame follows. Ends the decoder.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn finish(mut self) -> Result<Vec<Luma>> {
        self.pictures(Request::Drain)
    }

    fn pictures(&mut self, request: Request<'_>) -> Result<Vec<Luma>> {
        let mut pictures = Vec::new();
        self.child.ask(request, |reply| match reply {
            Reply::Luma { pts, width, height, luma } => {
                let (width, height) = (width as usize, height as usize);
                pictures.push(Luma { pts, width, height, luma: luma.to_vec() });
                Ok(())
            }
            _ => Err(child::unexpected()),
        })?;
        Ok(pictures)
    }
}
