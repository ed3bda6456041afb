//! `fakecam`: a camera that misbehaves on request. Prints `ready URL` and runs until it is killed.

// Standard output is how this program says that it is ready.
#![allow(clippy::print_stdout)]

use std::io::Write;
use std::process::ExitCode;

use fakecam::{Camera, Command, Quirk};

fn main() -> ExitCode {
    match fakecam::parse_arguments(std::env::args().skip(1)) {
        Ok(Command::Help) => println!("{}", Command::help()),
        Ok(Command::ListQuirks) => {
            for quirk in Quirk::ALL {
                println!("{:24} {}", quirk.id(), quirk.reproduction());
            }
        }
        Ok(Command::Run(config)) => match Camera::start(*config) {
            Ok(camera) => {
                println!("ready {}", camera.url());
                // Whoever started this waits for the line, through a pipe.
                let _ = std::io::stdout().flush();
                loop {
                    std::thread::park();
                }
            }
            Err(error) => return fail(&error.to_string()),
        },
        Err(error) => return fail(&error),
    }
    ExitCode::SUCCESS
}

fn fail(text: &str) -> ExitCode {
    eprintln!("fakecam: {text}");
    ExitCode::FAILURE
}
