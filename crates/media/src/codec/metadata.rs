//! ONVIF metadata (ONVIF Streaming Specification, section 5.1.2.1.1): XML documents, one per
//! frame, 90 kHz clock. Nothing of it is parsed here.

/// Largest document that is kept, bytes; longer ones are dropped and counted.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
