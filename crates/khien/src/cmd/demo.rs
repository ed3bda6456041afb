//! `khien demo`: `serve` with two pattern cameras and one file camera, on this machine only.
//!
//! The cameras are `khien camera` processes on free loopback ports, with a fresh password at each
//! start. They end with this process, however it ends.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use stdx::{Error, Kind, Result, Secret};
use store::registry::{NewCamera, Registry};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cli::Demo;
use crate::clip;
use crate::config::Config;
use crate::server::{self, Server};

/// The user that the recorder logs in to the demo cameras as.
const USER: &str = "demo";
/// The pattern cameras: their size, and pictures per second. Modest, so that an old machine can
/// encode both beside everything else.
const PATTERNS: [(&str, &str); 2] = [("1280x720", "15"), ("960x540", "15")];
/// A camera must serve within this time: encoders load slowly on a busy machine.
const READY_MAX: Duration = Duration::from_secs(60);
/// A camera that is asked to end is killed after this time.
const END_MAX: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: Demo) -> Result<()> {
    let mut config = Config::load(None)?;
    config.pixels.allow_uncaged = args.allow_uncaged;
    server::log_panics();
    let server = Server::start(&args.data, &config, args.listen).await?;
    let dir = server::private_dir(&args.data, "demo")?;
    let mut cameras = Vec::new();
    for (n, (size, fps)) in (1..).zip(PATTERNS) {
        let tag = n.to_string();
        let mut extra = vec!["--pattern", "--tag", &tag, "--size", size, "--fps", fps];
        extra.extend(["--bitrate", "1500kbps", "--gop", "1s"]);
        if args.allow_uncaged {
            extra.push("--allow-uncaged");
        }
        cameras.push(Camera::start(&dir, &format!("Pattern {n}"), &extra).await?);
    }
    let file = match args.file {
        Some(file) => file,
        None => made(&dir, args.allow_uncaged).await?,
    };
    let file = file.to_str().ok_or_else(|| {
        Error::new(Kind::InvalidArgument, format!("{}: the name is not text", file.display()))
    })?;
    cameras.push(Camera::start(&dir, "File", &["--file", file]).await?);
    for camera in &cameras {
        let (registry, new) = (server.registry.clone(), camera.record());
        let kept = tokio::task::spawn_blocking(move || register(&registry, new)).await;
        kept.map_err(|e| Error::new(Kind::Internal, e.to_string()))??;
    }
    let result = server.run().await;
    for camera in cameras {
        camera.end().await;
    }
    result
}

/// The clip of the file camera; made once.
async fn made(dir: &Path, allow_uncaged: bool) -> Result<PathBuf> {
    let path = dir.join("clip.mp4");
    if path.is_file() {
        return Ok(path);
    }
    let (config, to) = (pixels::Config::new(allow_uncaged), path.clone());
    let clip = tokio::task::spawn_blocking(move || clip::make(&config, net::now().wall, &to)).await;
    clip.map_err(|e| Error::new(Kind::Internal, e.to_string()))??;
    Ok(path)
}

/// Adds a demo camera, or tells the one of the last start where it is now. What a person changed
/// besides (its name apart) stays.
fn register(registry: &Registry, new: NewCamera) -> Result<()> {
    let known = registry.cameras()?.into_iter().find(|c| c.name == new.name);
    match known {
        Some(camera) => registry
            .edit_camera(camera.id, |c| {
                (c.url, c.user, c.password) = (new.url, new.user, new.password);
                Ok(())
            })
            .map(drop),
        None => registry.add_camera(new, net::now().wall).map(drop),
    }
}

/// A running `khien camera`.
struct Camera {
    name: String,
    url: String,
    password: Secret,
    child: Child,
}

impl Camera {
    async fn start(dir: &Path, name: &str, extra: &[&str]) -> Result<Self> {
        let password = password()?;
        let file = dir.join(format!("{}.password", name.to_lowercase().replace(' ', "-")));
        write(&file, &password)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["camera", "--with-parent", "--listen", "127.0.0.1:0", "--user", USER])
            .args(extra)
            .arg("--password-file")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Ctrl-C is for this process, which ends the recorder first.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let out = child.stdout.take();
        let ready = async {
            let mut lines = BufReader::new(out?).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix("ready ") {
                    return Some(url.trim().to_owned());
                }
            }
            None
        };
        let url = timeout(READY_MAX, ready).await.ok().flatten().ok_or_else(|| {
            let message = format!("the demo camera \"{name}\" did not start; its reason is above");
            Error::new(Kind::Unavailable, message)
        })?;
        Ok(Self { name: name.to_owned(), url, password, child })
    }

    fn record(&self) -> NewCamera {
        NewCamera {
            name: self.name.clone(),
            url: self.url.clone(),
            user: Some(USER.to_owned()),
            password: Some(self.password.clone()),
            ..NewCamera::default()
        }
    }

    async fn end(mut self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(END_MAX, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// 128 random bits.
fn password() -> Result<Secret> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(Kind::Internal, "the system has no randomness").with_source(e))?;
    Ok(Secret::new(bytes.iter().map(|b| format!("{b:02x}")).collect()))
}

/// Writes a password for a camera to read, mode 0600.
fn write(path: &Path, password: &Secret) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{}", password.reveal())?;
    Ok(())
}
