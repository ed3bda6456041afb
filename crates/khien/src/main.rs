//! The house: `main`, one file per subcommand, and the wiring between the rooms.
//!
//! Only this crate knows the configuration file, and nobody knows this crate.

// The house reads the clock and hands it down as `now`.
#![allow(clippy::disallowed_methods)]

mod cli;
mod clip;
mod cmd;
mod config;
mod engine;
mod local;
mod log;
mod record;
mod server;
mod text;
mod token;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // What is recorded and kept is nobody else's, whatever the shell's own mask and the directory.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // Before anything speaks TLS, so that no library picks another one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = cli::Cli::parse();
    match cmd::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            text::complain(&error);
            ExitCode::from(text::exit_code(error.kind()))
        }
    }
}
