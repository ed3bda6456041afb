//! `khien serve`: record and serve until SIGTERM.

use stdx::Result;

use crate::cli::Serve;
use crate::config::Config;
use crate::server::{self, Server};

pub(crate) async fn run(args: Serve) -> Result<()> {
    let config = Config::load(args.config.as_deref())?;
    server::log_panics();
    Server::start(&args.data.data, &config, args.listen).await?.run().await
}
