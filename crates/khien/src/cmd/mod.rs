//! One file per subcommand, each short enough to read.

mod camera;
mod cameras;
mod check;
mod demo;
mod docs;
mod export;
mod recordings;
mod serve;
mod user;

use stdx::Result;

use crate::cli::{Cli, Command};
use crate::{config, text};

/// Runs what the command line says.
pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(args) => block_on(serve::run(args)),
        Command::Camera(args) => block_on(camera::run(args)),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Cameras { command } => block_on(cameras::run(command)),
        Command::Recordings { command } => block_on(recordings::run(command)),
        Command::Export(args) => block_on(export::run(args)),
        Command::Check { bytes, data, json } => check::run(&data.data, bytes, json.json),
        Command::User { command } => block_on(user::run(command)),
        Command::Docs { what } => docs::run(what),
        Command::Config { .. } => {
            text::line(config::DEFAULT.trim_end());
            Ok(())
        }
    }
}

fn block_on(future: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(16)
        .build()?;
    let result = runtime.block_on(future);
    // A blocking read of a slow disk must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    result
}
