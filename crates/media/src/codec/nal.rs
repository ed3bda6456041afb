//! NAL units: walking Annex B start codes and 4-byte length prefixes, emulation prevention.
