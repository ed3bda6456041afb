//! Logging: structured, to standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use stdx::{Error, Kind, Result};

/// Starts logging; the environment variable KHIEN_LOG wins over the configuration.
pub(crate) fn start(config: &Log) -> Result<()> {
    let text = std::env::var("KHIEN_LOG").unwrap_or_else(|_| config.level.clone());
    let filter = EnvFilter::try_new(&text).map_err(|e| {
        Error::new(Kind::InvalidArgument, format!("log.level \"{text}\": {e}")).with_code("config")
    })?;
    let colour = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    // A second start in one process (tests) keeps the first subscriber.
    let _ = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
