//! What was recorded, as the page asks for it: time line, fragments, init, media, files, exports.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::codec::h264;
use media::{CameraId, Frame, Params, Rate, Ticks, Track, TrackId};
use serde_json::{Value, json};
use store::registry::Role;
use store::{Assembler, Limits};

use super::{Answer, Desk, NOW, Who};

const S: i64 = 1_000_000;

fn params() -> Arc<Params> {
    let hex = |t: &str| -> Vec<u8> {
        (0..t.len()).step_by(2).map(|i| u8::from_str_radix(&t[i..i + 2], 16).unwrap()).collect()
    };
    let (sps, pps) = ("6742c016d900a02ff930110000030001000003001e0f162e48", "68cb83cb20");
    Arc::new(Params::H264(h264::Params::parse(&hex(sps), &hex(pps)).unwrap()))
}

pub(super) fn track() -> Track {
    Track { id: TrackId(0), rate: Rate::VIDEO, params: params() }
}

/// Frame `n` of a camera with ten frames a second and a group each second.
pub(super) fn frame(n: i64) -> Frame {
    let key = n % 10 == 0;
    Frame {
        track: TrackId(0),
        pts: Ticks(n * 9_000),
        dts: Ticks(n * 9_000),
        wall: NOW.plus_us(n * S / 10),
        random_access: key,
        damaged: false,
        discontinuity: false,
        params: params(),
        data: Bytes::from_static(if key { b"\0\0\0\x02\x65\x88" } else { b"\0\0\0\x02\x41\x9a" }),
    }
}

/// Four seconds of a camera are recorded.
fn record(desk: &Desk, camera: CameraId) {
    let writer = desk.app.store().writer();
    let mut assembler = Assembler::new(camera, &[track()]);
    let mut done: Vec<_> = (0..40).filter_map(|n| assembler.push(frame(n))).collect();
    done.extend(assembler.flush());
    for fragment in done {
        writer.try_append(fragment).unwrap();
    }
    writer.end(camera);
    desk.app.store().flush();
}

struct Page<'a> {
    desk: &'a Desk,
    who: Who,
    base: String,
}

impl Page<'_> {
    async fn get(&self, rest: &str, headers: &[(&str, &str)]) -> Answer {
        let path = format!("{}{rest}", self.base);
        let mut request = Desk::request("GET", &path, &self.who, None);
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        self.desk.send(request).await
    }
}

#[tokio::test]
async fn a_page_finds_and_plays_what_was_recorded() {
    let desk = Desk::new();
    desk.user("bo", Role::Viewer).await;
    let camera = desk.camera("front");
    record(&desk, camera);
    let who = desk.session("bo").await;
    let page = Page { desk: &desk, who, base: format!("/api/v1/cameras/{camera}") };

    let (from, to) = (NOW.0, NOW.0 + 10 * S);
    let line = page.get(&format!("/timeline?from={from}&to={to}"), &[]).await.json();
    assert_eq!(line["spans"], json!([{ "from_us": from, "to_us": from + 4 * S }]), "{line}");
    let seen = page.get("", &[]).await.json();
    assert_eq!(seen["recorded_from"], NOW.to_string());

    let query = format!("/fragments?from={}&to={to}&limit=2", from + S + S / 2);
    let found = page.get(&query, &[]).await.json();
    let list = found["fragments"].as_array().unwrap();
    let starts: Vec<i64> = list.iter().map(|f| f["start_us"].as_i64().unwrap()).collect();
    assert_eq!(starts, [from + S, from + 2 * S], "{found}");
    assert_eq!(found["next_us"], from + 3 * S);
    assert!(list.iter().all(|f| f["random_access"] == true && f["init"] == list[0]["init"]));
    assert_eq!(list[1]["decode_time_s"].as_f64().unwrap().round(), 2.0);
    let rest = page.get(&format!("/fragments?from={}&to={to}", from + 3 * S), &[]).await.json();
    assert_eq!((rest["fragments"].as_array().unwrap().len(), &rest["next_us"]), (1, &Value::Null));

    let segment = list[0]["segment"].as_str().unwrap();
    let init = page.get(&format!("/segments/{segment}/init"), &[]).await;
    assert_eq!(init.headers["x-khien-mime"], "video/mp4; codecs=\"avc1.42C016\"");
    assert_eq!((init.status, &init.body[4..8]), (200, &b"ftyp"[..]));
    let (offset, size) = (&list[0]["offset"], &list[0]["size"]);
    let query = format!("/segments/{segment}/media?offset={offset}&size={size}");
    let media = page.get(&query, &[]).await;
    assert_eq!((media.status, &media.body[4..8]), (200, &b"moof"[..]));
    assert!(media.headers["cache-control"].to_str().unwrap().contains("immutable"));
    for query in ["offset=0&size=9", "offset=99999999&size=9"] {
        let none = page.get(&format!("/segments/{segment}/media?{query}"), &[]).await;
        assert_eq!((none.status, none.code().as_str()), (404, "no-fragment"), "{query}");
    }
    for size in [0, (16 << 20) + 1] {
        let query = format!("/segments/{segment}/media?offset=0&size={size}");
        assert_eq!(page.get(&query, &[]).await.code(), "query");
    }
}

#[tokio::test]
async fn what_retention_deleted_is_told_as_such() {
    let desk = Desk::new();
    let camera = desk.camera("front");
    record(&desk, camera);
    let store = desk.app.store();
    store.set_limits(Limits { days_max: Some(1), ..Limits::default() });
    let start = desk.app.clock().mono();
    for days in [0, 3] {
        let later = Duration::from_secs(days * 86_400);
        store.tick(NOW.plus(later), start + later);
    }
    store.flush();
    store.retain().unwrap();
    let page = Page { desk: &desk, who: Who::Local, base: format!("/api/v1/cameras/{camera}") };
    let (from, to) = (NOW.0, NOW.0 + 4 * S);
    let line = page.get(&format!("/timeline?from={from}&to={to}"), &[]).await.json();
    assert_eq!(line["expired"], json!([{ "from_us": from, "to_us": to }]), "{line}");
    assert_eq!((&line["spans"], &line["gaps"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn owners_still_reach_what_a_removed_camera_recorded() {
    let desk = Desk::new();
    desk.user("bo", Role::Viewer).await;
    let (camera, other) = (desk.camera("front"), desk.camera("yard"));
    record(&desk, camera);
    record(&desk, other);
    let removed = "/api/v1/cameras/removed";
    assert_eq!(desk.ask("GET", removed, &Who::Local, None).await.json(), json!([]));
    desk.app.registry().remove_camera(camera).unwrap();
    let want = json!([{
        "id": camera.to_string(), "recorded_from": NOW.to_string(),
        "recorded_to": NOW.plus_us(4 * S).to_string(),
    }]);
    assert_eq!(desk.ask("GET", removed, &Who::Local, None).await.json(), want);
    let bo = desk.session("bo").await;
    let (from, to) = (NOW.0, NOW.0 + 10 * S);
    for rest in [
        format!("/timeline?from={from}&to={to}"),
        format!("/fragments?from={from}&to={to}"),
        format!("/export.mp4?from={from}&to={to}"),
        "/segments/00000001-00000001.mp4".to_owned(),
        "/segments/00000001-00000001/init".to_owned(),
    ] {
        let get = |who: &Who| {
            let page =
                Page { desk: &desk, who: who.clone(), base: format!("/api/v1/cameras/{camera}") };
            let rest = rest.clone();
            async move { page.get(&rest, &[]).await.status }
        };
        assert_eq!((get(&Who::Local).await, get(&bo).await), (200, 404), "{rest}");
    }
    let base = format!("/api/v1/cameras/{camera}");
    assert_eq!(desk.ask("GET", &base, &Who::Local, None).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn exports_wait_for_their_turn_but_not_for_ever() {
    let desk = Desk::new();
    let camera = desk.camera("front");
    record(&desk, camera);
    let path = format!("/api/v1/cameras/{camera}/export.mp4?from={}&to={}", NOW.0, NOW.0 + 10 * S);
    let first = desk.app.export_turn().await.unwrap();
    let second = desk.app.export_turn().await.unwrap();
    let busy = desk.ask("GET", &path, &Who::Local, None).await;
    assert_eq!((busy.status, busy.code().as_str()), (503, "exports-busy"));
    assert_eq!(busy.headers["retry-after"], "5");
    drop(first);
    assert_eq!(desk.ask("GET", &path, &Who::Local, None).await.status, 200);
    drop(second);
    // Those that are read slowly keep their tables, and so their places.
    let mut reading = Vec::new();
    for _ in 0..crate::app::EXPORTS_MAX {
        reading.push(desk.app.export_turn().await.unwrap().1);
    }
    assert_eq!(desk.ask("GET", &path, &Who::Local, None).await.code(), "exports-busy");
    drop(reading);
    assert_eq!(desk.ask("GET", &path, &Who::Local, None).await.status, 200);
}

#[tokio::test]
async fn files_and_exports_are_sent_by_ranges() {
    let desk = Desk::new();
    let camera = desk.camera("front");
    record(&desk, camera);
    let page = Page { desk: &desk, who: Who::Local, base: format!("/api/v1/cameras/{camera}") };
    let (from, to) = (NOW.0, NOW.0 + 10 * S);
    for path in
        ["/segments/00000001-00000001.mp4".to_owned(), format!("/export.mp4?from={from}&to={to}")]
    {
        let whole = page.get(&path, &[]).await;
        assert_eq!(whole.status, 200, "{path}");
        assert_eq!(whole.headers["accept-ranges"], "bytes");
        assert_eq!(whole.headers["content-length"], whole.body.len().to_string().as_str());
        assert_eq!(&whole.body[4..8], b"ftyp");
        let etag = whole.headers["etag"].to_str().unwrap();
        let part = page.get(&path, &[("range", "bytes=10-99"), ("if-range", etag)]).await;
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..100]), "{path}");
        let range = format!("bytes 10-99/{}", whole.body.len());
        assert_eq!(part.headers["content-range"], range.as_str());
        let tail = page.get(&path, &[("range", "bytes=-7")]).await;
        assert_eq!(&tail.body[..], &whole.body[whole.body.len() - 7..]);
        assert_eq!(page.get(&path, &[("if-none-match", etag)]).await.status, 304);
        assert_eq!(page.get(&path, &[("range", "bytes=99999999-")]).await.code(), "range");
    }
    let export = page.get(&format!("/export.mp4?from={from}&to={to}"), &[]).await;
    let name = export.headers["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"front-2026"), "{name}");
    let none = page.get("/export.mp4?from=0&to=1", &[]).await;
    assert_eq!((none.status, none.code().as_str()), (404, "nothing-recorded"));
}
