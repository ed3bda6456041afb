//! `khien cameras`: list, add, remove, probe.

use serde_json::{Value, json};
use stdx::{Error, Kind, Result, Secret};
use store::registry;

use crate::cli::{Cameras, SourceUrl, Transport};
use crate::local::Local;
use crate::{engine, text};

pub(crate) async fn run(command: Cameras) -> Result<()> {
    match command {
        Cameras::List { data, json } => {
            let local = Local::open(&data.data).await?;
            let cameras = local.get("/api/v1/cameras").await?;
            if json.json {
                text::line(&cameras.to_string());
            } else {
                print(&cameras);
            }
            Ok(())
        }
        Cameras::Add { name, source, data, json } => {
            let mut body = request(&source)?;
            body["name"] = json!(name);
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
        Cameras::Remove { name, data } => {
            let local = Local::open(&data.data).await?;
            let id = local.camera_id(&name).await?;
            local.send("DELETE", &format!("/api/v1/cameras/{id}"), None).await?;
            text::line(&format!("removed {name}; its recordings stay until retention takes them"));
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
        rows.push(vec![field("name"), field("id"), field("state"), field("url"), detail.to_owned()]);
    }
    text::table(&["NAME", "ID", "STATE", "ADDRESS", "DETAIL"], &rows);
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
    let config = engine::source(&source.url, user.as_deref(), password, transport, None, false);
    let found = net::source::rtsp::probe(config).await?;
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
        text::line(
            &json!({ "server": found.server, "tracks": tracks, "quirks": quirks }).to_string(),
        );
        return Ok(());
    }
    if rows.is_empty() {
        return Err(Error::new(Kind::Unsupported, "the camera offers no track that khien knows"));
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    text::table(&["TRACK", "CODEC", "STRING", "SIZE", "FPS"], &rows);
    for (quirk, count) in &found.quirks {
        text::line(&format!("quirk {} x{count}", quirk.slug()));
    }
    Ok(())
}
