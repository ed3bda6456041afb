//! G.711 (RFC 3551, section 4.5.14): every payload is samples, of any length.

use std::sync::Arc;

use bytes::Bytes;
use media::Params;

use super::{Context, Unit};
use crate::rtp::Packet;

#[derive(Debug)]
pub(super) struct Depacketizer {
    params: Arc<Params>,
    lost: bool,
}

impl Depacketizer {
    pub(super) const fn new(params: Arc<Params>) -> Self {
        Self { params, lost: false }
    }

    pub(super) fn push(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, lost_before: bool) {
        self.lost |= lost_before;
        if packet.payload.is_empty() {
            return;
        }
        cx.give(Unit {
            timestamp: packet.header.timestamp,
            data: Bytes::copy_from_slice(packet.payload),
            random_access: true,
            damaged: std::mem::take(&mut self.lost),
            reordered: false,
            params: Arc::clone(&self.params),
        });
    }

    pub(super) const fn reset(&mut self) {
        self.lost = false;
    }

    pub(super) const fn params(&self) -> &Arc<Params> {
        &self.params
    }
}
