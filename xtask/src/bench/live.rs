//! Live in a browser: how long until the first picture, and how late it is. The browser, and the
//! reading of the block code that the pattern carries, are `web/e2e/real.mjs`, which goes the
//! whole way of a person and prints what it measured as JSON on its last line.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Bench, say, short};

pub(super) fn run(bench: &Bench, rounds: usize) -> Result<Value, String> {
    let (mut first, mut delay) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}: in a browser"));
        let figures = round_of(bench)?;
        for (list, name) in [(&mut first, FIRST), (&mut delay, DELAY)] {
            let figure = figures[name].as_f64();
            list.push(figure.ok_or_else(|| format!("{SCRIPT} measured no {name}: {figures}"))?);
        }
    }
    Ok(json!({
        "bench": "live",
        "rounds": rounds,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        FIRST: short(super::median(&mut first)),
        DELAY: short(super::median(&mut delay)),
    }))
}

const SCRIPT: &str = "web/e2e/real.mjs";
const FIRST: &str = "first_picture_ms";
const DELAY: &str = "live_delay_ms";

fn round_of(bench: &Bench) -> Result<Value, String> {
    let output = Command::new("node")
        .arg(SCRIPT)
        .current_dir(&bench.root)
        .env("KHIEN_BIN", &bench.khien)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("node: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{SCRIPT}: {}: {}", output.status, text.trim()));
    }
    last_object(&text).ok_or_else(|| format!("{SCRIPT} printed no figures: {}", text.trim()))
}

/// The last line that is a JSON object.
fn last_object(text: &str) -> Option<Value> {
    let mut objects = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    objects.rfind(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_after_talk() {
        let text = "  1.0 s  ok: it plays\n{\"live_delay_ms\": 1}\n{\"live_delay_ms\": 310}\n\n";
        assert_eq!(last_object(text), Some(json!({ "live_delay_ms": 310 })));
        assert_eq!(last_object("12\nnothing"), None);
    }
}
