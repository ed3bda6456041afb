//! The real programs from outside: started, spoken to, killed, and what they leave looked at by
//! others. Each file is named after what it shows.
//!
//! Needs `khien-pixels` beside `khien`: built by `cargo build -p pixels` where it is missing.
//! FFmpeg judges recordings where it is installed; a test says so when it is not.

// Tests read clocks, speak plain HTTP by hand, and may fail anywhere.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod a_changed_certificate_waits_for_a_person;
mod a_full_disk_is_a_gap_with_a_reason;
mod a_polite_end_seals_the_files;
mod an_export_is_whole_or_absent;
mod closed_until_somebody_is_let_in;
mod house;
mod mistakes_are_told;
mod nothing_recorded_is_lost_to_garbage;
mod two_cameras_killed_midway_account_for_every_frame;
