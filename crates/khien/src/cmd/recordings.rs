//! `khien recordings list`: spans, gaps and deleted spans of a camera.

use serde_json::{Value, json};
use stdx::Result;

use crate::cli::Recordings;
use crate::local::Local;
use crate::text;

pub(crate) async fn run(command: Recordings) -> Result<()> {
    let Recordings::List { camera, span, data, json } = command;
    let local = Local::open(&data.data).await?;
    let id = local.footage_id(&camera).await?;
    let answer = local
        .get(&format!("/api/v1/cameras/{id}/timeline?from={}&to={}", span.from.0, span.to.0))
        .await?;
    let spans = rows(&answer, "spans");
    let gaps = rows(&answer, "gaps");
    let expired = rows(&answer, "expired");
    if json.json {
        let value = json!({
            "camera": camera,
            "id": id,
            "from": span.from.to_string(),
            "to": span.to.to_string(),
            "spans": spans,
            "gaps": gaps,
            "expired": expired,
        });
        text::line(&value.to_string());
        return Ok(());
    }
    let mut all: Vec<Vec<String>> = Vec::new();
    for (what, list) in [("recorded", &spans), ("gap", &gaps), ("expired", &expired)] {
        for entry in list {
            let field = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
            all.push(vec![field("from"), field("to"), what.to_owned(), field("cause")]);
        }
    }
    all.sort();
    text::table(&["FROM", "TO", "WHAT", "CAUSE"], &all);
    Ok(())
}

/// The API's spans with times as people and scripts read them.
fn rows(answer: &Value, key: &str) -> Vec<Value> {
    let time = |v: &Value| v.as_i64().map_or(Value::Null, |us| media::Wall(us).to_string().into());
    let mut out = Vec::new();
    for entry in answer[key].as_array().into_iter().flatten() {
        let mut row = json!({ "from": time(&entry["from_us"]), "to": time(&entry["to_us"]) });
        if let Some(cause) = entry.get("cause") {
            row["cause"] = cause.clone();
        }
        out.push(row);
    }
    out
}
