//! QuickTime's `alaw` and `ulaw` entries.

use media::Params;
use media::codec::g711::{self, Law};

use super::{audio, audio_fields};
use crate::Error;
use crate::write::Writer;

pub(super) fn write(w: &mut Writer, p: g711::Params) -> Result<(), Error> {
    let kind = match p.law {
        Law::A => b"alaw",
        Law::Mu => b"ulaw",
    };
    w.boxed(kind, |w| audio(w, p.channels, p.sample_rate));
    Ok(())
}

pub(super) fn read(kind: [u8; 4], body: &[u8]) -> Result<Params, Error> {
    let (channels, sample_rate, _) = audio_fields(body)?;
    if channels == 0 || sample_rate == 0 {
        return Err(Error::Malformed("G.711 sample entry"));
    }
    let law = if &kind == b"alaw" { Law::A } else { Law::Mu };
    Ok(Params::G711(g711::Params { law, sample_rate, channels }))
}
