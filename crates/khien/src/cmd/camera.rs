//! `khien camera`: a software IP camera, served over RTSP until SIGTERM.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use camera::{Source, Video};
use hub::Hub;
use net::Stopper;
use net::sink::rtsp as sink;
use rtsp::auth::{self, Offer, ServerAuth};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use stdx::{Error, Kind, Result, Secret};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cli::{self, Digest};
use crate::config::Config;
use crate::server::{self, Signals};
use crate::{log, text};

/// The path that viewers ask for.
const PATH: &str = "main";
/// Each half of a camera has this long to end.
const END_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether the parent still lives.
const PARENT_LOOK: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: cli::Camera) -> Result<()> {
    // Before anything takes long, so that a signal is never missed.
    let mut signals = Signals::new()?;
    let parent = args.with_parent.then(std::os::unix::process::parent_id);
    log::start(&Config::load(None)?.log)?;
    server::log_panics();
    let mut running = tokio::select! {
        started = start(&args) => started?,
        () = signals.next() => return Ok(()),
        () = orphaned(parent) => return Ok(()),
    };
    text::line(&format!("ready {}", running.url));
    let result = tokio::select! {
        result = running.ended() => result,
        () = signals.next() => Ok(()),
        () = orphaned(parent) => Ok(()),
    };
    running.stop().await;
    result
}

/// Returns once the process `parent` is not this one's parent any more; never without one.
async fn orphaned(parent: Option<u32>) {
    let Some(parent) = parent else { return std::future::pending().await };
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(PARENT_LOOK).await;
    }
}

/// A camera that serves.
pub(crate) struct Running {
    /// Where, without user and password.
    pub(crate) url: String,
    camera: camera::Camera,
    serving: JoinHandle<std::io::Result<()>>,
    stopper: Stopper,
}

/// Starts a camera in this process; returns once its first picture is there and viewers may
/// come.
///
/// # Errors
/// What is wrong with the source, the password file, or the address to listen at.
pub(crate) async fn start(args: &cli::Camera) -> Result<Running> {
    let judge = judge(args)?;
    let listener = TcpListener::bind(args.listen).await.map_err(|e| taken(args.listen, e))?;
    let address = listener.local_addr()?;
    let tls = if args.tls { Some(certificate(address.ip())?) } else { None };
    if tls.is_none() && !address.ip().is_loopback() {
        tracing::warn!(%address, "pictures are sent in the clear; --tls encrypts them");
    }
    let hub = Hub::new();
    let pixels = pixels::Config::new(args.allow_uncaged);
    let camera = camera::Camera::start(hub.clone(), PATH, source(args)?, pixels).await?;
    let (stopper, stop) = Stopper::new();
    let scheme = if tls.is_some() { "rtsps" } else { "rtsp" };
    let config = sink::Config {
        auth: Some(Arc::new(judge)),
        tls,
        name: "khien camera".to_owned(),
        udp: true,
    };
    let serving = tokio::spawn(sink::serve(listener, hub, config, stop));
    Ok(Running { url: format!("{scheme}://{address}/{PATH}"), camera, serving, stopper })
}

impl Running {
    /// Waits until it ends by itself, which is always an error. Call it once.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        let ended = |text: &str| Error::new(Kind::Unavailable, text);
        tokio::select! {
            source = self.camera.ended() => source.and(Err(ended("the camera's source ended"))),
            serving = &mut self.serving => match serving {
                Ok(Err(e)) => Err(e.into()),
                Ok(Ok(())) => Err(ended("the camera's server ended")),
                Err(e) => Err(Error::new(Kind::Internal, "the camera's server failed").with_source(e)),
            },
        }
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) {
        self.stopper.stop();
        self.camera.stop();
        if !self.serving.is_finished() {
            let _ = timeout(END_MAX, &mut self.serving).await;
        }
        // A device that hangs holds its thread, and ends with the process.
        let _ = timeout(END_MAX, self.camera.ended()).await;
    }
}

fn source(args: &cli::Camera) -> Result<Source> {
    let video = Video {
        codec: match args.codec {
            cli::Codec::H264 => media::codec::Codec::H264,
            cli::Codec::H265 => media::codec::Codec::H265,
        },
        size: args.size,
        fps: args.fps,
        bit_rate: args.bitrate,
        gop_s: args.gop,
    };
    match (&args.file, &args.device) {
        (Some(file), _) => Ok(Source::File(file.clone())),
        (None, Some(path)) => Ok(Source::Device { path: path.clone(), video }),
        (None, None) if args.pattern => Ok(Source::Pattern { tag: args.tag, video }),
        (None, None) => Err(Error::new(
            Kind::InvalidArgument,
            "say what the camera shows: --pattern, --file or --device",
        )),
    }
}

fn judge(args: &cli::Camera) -> Result<ServerAuth> {
    let password = text::password(&args.password_file)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|e| Error::new(Kind::Internal, "the system has no randomness").with_source(e))?;
    let config = auth::Config {
        realm: "khien camera".to_owned(),
        users: HashMap::<String, Secret>::from([(args.user.clone(), password)]),
        offer: match args.digest {
            Digest::Md5 => Offer::Md5,
            Digest::Sha256 => Offer::Sha256,
            Digest::Both => Offer::Both,
        },
        basic: args.tls,
    };
    Ok(ServerAuth::new(config, seed))
}

/// A certificate for this start only: viewers pin it at first use, as they do with cameras.
fn certificate(address: IpAddr) -> Result<Arc<rustls::ServerConfig>> {
    let wrong = |e: &dyn std::fmt::Display| {
        Error::new(Kind::Internal, format!("the certificate cannot be made: {e}"))
    };
    let mut names = vec!["localhost".to_owned()];
    if !address.is_unspecified() {
        names.push(address.to_string());
    }
    let made = rcgen::generate_simple_self_signed(names).map_err(|e| wrong(&e))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(|e| wrong(&e))?;
    Ok(Arc::new(config))
}

fn taken(listen: SocketAddr, e: std::io::Error) -> Error {
    let kind = match e.kind() {
        std::io::ErrorKind::AddrInUse => Kind::AlreadyExists,
        std::io::ErrorKind::PermissionDenied => Kind::PermissionDenied,
        _ => Kind::InvalidArgument,
    };
    let text = format!("cannot listen at {listen}; choose another with --listen ADDR:PORT");
    Error::new(kind, text).with_source(e)
}
