//! The rules of the house that can be a test. Each file below is one group of them; what is wrong
//! is collected, so that one run shows everything.

mod arrows;
mod files;
mod links;
mod sets;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;

pub(crate) fn run() -> Result<(), String> {
    let root = root();
    let files = tracked(&root)?;
    let mut wrong = Vec::new();
    arrows::check(&root, &mut wrong)?;
    files::check(&files, &mut wrong);
    links::check(&root, &files, &mut wrong);
    sets::check(&root, &files, &mut wrong);
    for w in &wrong {
        println!("tidy: {w}");
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("tidy: {} things to put right", wrong.len()))
    }
}

/// A file that git keeps or would keep, with its text if it is text.
struct Source {
    /// From the repository's root.
    path: PathBuf,
    text: String,
}

impl Source {
    fn extension(&self) -> &str {
        self.path.extension().and_then(|e| e.to_str()).unwrap_or_default()
    }

    fn stem(&self) -> &str {
        self.path.file_stem().and_then(|s| s.to_str()).unwrap_or_default()
    }

    /// Whether a folder or the file itself is called `name`.
    fn within(&self, name: &str) -> bool {
        self.path.with_extension("").components().any(|c| c.as_os_str() == name)
    }
}

fn tracked(root: &Path) -> Result<Vec<Source>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("git: {e}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    let read = |name: &str| {
        let text = std::fs::read_to_string(root.join(name)).ok()?;
        Some(Source { path: name.into(), text })
    };
    Ok(names.lines().filter_map(read).collect())
}
