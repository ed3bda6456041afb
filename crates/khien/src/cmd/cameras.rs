//! `khien cameras`: list, add, accept, remove, probe.

use serde_json::{Value, json};
use stdx::{Error, Kind, Result, Secret};
use store::registry;

use crate::cli::{Cameras, SourceUrl, Transport};
use crate::local::Local;
use crate::{engine, text};

pub(crate) async fn run(command: Cameras) -> Result<()> {
    match command {
        Cameras::List { removed, data, json } => {
            let local = Local::open(&data.data).await?;
            let place = if removed { "/api/v1/cameras/removed" } else { "/api/v1/cameras" };
            let cameras = local.get(place).await?;
            match (json.json, removed) {
                (true, _) => text::line(&cameras.to_string()),
                (false, true) => print_removed(&cameras),
                (false, false) => print(&cameras),
            }
            Ok(())
        }
        Cameras::Add { name, source, accept_certificate, data, json } => {
            let mut body = request(&source)?;
            body["name"] = json!(name);
            body["accept_certificate"] = json!(accept_certificate);
            let local = Local::open_or_create(&data.data).await?;
            let camera = local.post("/api/v1/cameras", &body).await?;
            if json.json {
                text::line(&camera.to_string());
            } else {
                let id = camera["id"].as_str().unwrap_or_default();
                text::line(&format!("added {name} ({id})"));
            }
            Ok(())
        }
        Cameras::Accept { name, sha256, data } => {
            let local = Local::open(&data.data).await?;
            let id = local.camera_id(&name).await?;
            let uri = format!("/api/v1/cameras/{id}/certificate/accept");
            let camera = local.post(&uri, &json!({ "sha256": sha256 })).await?;
            let kept = camera["certificate"].as_str().unwrap_or_default();
            text::line(&format!("{name} is trusted with certificate {kept} and no other"));
            Ok(())
        }
        Cameras::Remove { name, data } => {
            let local = Local::open(&data.data).await?;
            let id = local.camera_id(&name).await?;
            local.send("DELETE", &format!("/api/v1/cameras/{id}"), None).await?;
            text::line(&format!(
                "removed {name}; its recordings stay under the id {id} until retention takes them"
            ));
            Ok(())
        }
        Cameras::Probe { source, json } => probe(&source, json.json).await,
    }
}

/// What the API takes to add or probe a camera.
fn request(source: &SourceUrl) -> Result<Value> {
    let transport = match source.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    let mut body = json!({ "url": source.url, "transport": transport });
    if let (Some(user), Some(file)) = (&source.user, &source.password_file) {
        body["user"] = json!(user);
        body["password"] = json!(text::password(file)?.reveal());
    }
    Ok(body)
}

fn print(cameras: &Value) {
    let mut rows = Vec::new();
    for camera in cameras.as_array().into_iter().flatten() {
        let field = |key: &str| camera[key].as_str().unwrap_or("-").to_owned();
        let detail = camera["detail"]["message"].as_str().unwrap_or_default();
        rows.push(vec![
            field("name"),
            field("id"),
            field("state"),
            field("url"),
            detail.to_owned(),
        ]);
    }
    text::table(&["NAME", "ID", "STATE", "ADDRESS", "DETAIL"], &rows);
}

fn print_removed(cameras: &Value) {
    let row = |camera: &Value| {
        ["id", "recorded_from", "recorded_to"]
            .map(|key| camera[key].as_str().unwrap_or("-").to_owned())
            .to_vec()
    };
    let rows: Vec<_> = cameras.as_array().into_iter().flatten().map(row).collect();
    text::table(&["ID", "RECORDED FROM", "RECORDED TO"], &rows);
}

/// User and password: those given apart, or those in the address.
fn login(source: &SourceUrl) -> Result<(Option<String>, Option<Secret>)> {
    if let Some(file) = &source.password_file {
        return Ok((source.user.clone(), Some(text::password(file)?)));
    }
    // What is wrong with an address is told by the source.
    let inside = rtsp::url::Url::parse_with_user(&source.url).ok().and_then(|(_, login)| login);
    Ok(inside.map_or((None, None), |(user, password)| (Some(user), Some(password))))
}

async fn probe(source: &SourceUrl, as_json: bool) -> Result<()> {
    let (user, password) = login(source)?;
    let transport = match source.transport {
        Transport::Tcp => registry::Transport::Tcp,
        Transport::Udp => registry::Transport::Udp,
    };
    let rules = engine::Rules::default();
    let config = engine::source(&source.url, user.as_deref(), password, transport, None, &rules);
    let found = net::source::rtsp::probe(config).await.map_err(|e| match e.code() {
        // Nobody was asked: the command line is wrong.
        Some("camera-url") => Error::new(Kind::InvalidArgument, e.message()),
        _ => e,
    })?;
    let certificate = found.certificate.as_ref().map(|c| {
        let sha256: String = c.sha256.iter().map(|b| format!("{b:02x}")).collect();
        (c.subject.clone(), sha256, media::Wall(c.not_after_s.saturating_mul(1_000_000)))
    });
    let mut rows = Vec::new();
    for track in found.tracks.iter() {
        let size = track.params.resolution().map(|(w, h)| format!("{w}x{h}"));
        let fps = track.params.frame_rate().map(|f| format!("{f:.2}"));
        rows.push([
            track.id.to_string(),
            track.params.codec().name().to_owned(),
            track.params.codec_string().unwrap_or_default(),
            size.unwrap_or_default(),
            fps.unwrap_or_default(),
        ]);
    }
    if as_json {
        let tracks: Vec<Value> = rows
            .iter()
            .map(|[id, codec, string, size, fps]| {
                json!({ "id": id, "codec": codec, "codec_string": string, "size": size, "fps": fps })
            })
            .collect();
        let quirks: Vec<Value> =
            found.quirks.iter().map(|(q, n)| json!({ "id": q.slug(), "count": n })).collect();
        let certificate = certificate.map(|(subject, sha256, not_after)| {
            json!({ "subject": subject, "sha256": sha256, "not_after": not_after.to_string() })
        });
        let value = json!({
            "server": found.server, "tracks": tracks, "quirks": quirks, "certificate": certificate,
        });
        text::line(&value.to_string());
        return Ok(());
    }
    if rows.is_empty() {
        return Err(Error::new(Kind::Unsupported, "the camera offers no track that khien knows"));
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    text::table(&["TRACK", "CODEC", "STRING", "SIZE", "FPS"], &rows);
    if let Some((subject, sha256, _)) = certificate {
        text::line(&format!("certificate {sha256} {subject}"));
    }
    for (quirk, count) in &found.quirks {
        text::line(&format!("quirk {} x{count}", quirk.slug()));
    }
    Ok(())
}
