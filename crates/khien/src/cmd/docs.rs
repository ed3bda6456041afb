//! `khien docs`: what `cargo xtask gen` makes reference pages of. Hidden from `--help`.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use stdx::{Error, Kind, Result};

use crate::cli::{Cli, Docs};
use crate::text;

/// Prints the reference as text: Markdown for the command line, JSON for the API.
pub(crate) fn run(what: Docs) -> Result<()> {
    let page = match what {
        Docs::Cli => command_line(),
        Docs::Openapi => serde_json::to_string_pretty(&api::openapi())
            .map_err(|e| Error::new(Kind::Internal, e.to_string()))?,
    };
    text::line(page.trim_end());
    Ok(())
}

fn command_line() -> String {
    let mut page = "# Command line\n".to_owned();
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    describe(&mut root, &mut page);
    page
}

/// A heading and the help of a command, then of the ones below it.
fn describe(command: &mut clap::Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or("khien").to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for sub in command.get_subcommands_mut().filter(|s| !s.is_hide_set()) {
        describe(sub, page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_verb_has_a_heading() {
        let page = command_line();
        for verb in ["khien", "khien serve", "khien cameras add", "khien user reset"] {
            assert!(page.contains(&format!("\n## {verb}\n\n```text\n")), "{verb}: {page}");
        }
        assert!(!page.contains("khien docs"), "{page}");
        assert!(page.lines().all(|l| l.trim_end() == l), "no trailing blanks");
    }
}
