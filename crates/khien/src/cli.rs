//! The command line: words only, no behaviour.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use media::Wall;
use stdx::Bitrate;

/// A secure IP camera system: camera, recorder and viewer in one program.
#[derive(Debug, Parser)]
#[command(name = "khien", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record cameras and serve the web app.
    Serve(Serve),
    /// Be an IP camera: a test pattern, a looped file or a capture device, served over RTSP.
    Camera(Camera),
    /// Start `serve` with two pattern cameras and one file camera, to look around.
    Demo(Demo),
    /// List, add, remove or probe the cameras of a recorder.
    Cameras {
        #[command(subcommand)]
        command: Cameras,
    },
    /// List what is recorded.
    Recordings {
        #[command(subcommand)]
        command: Recordings,
    },
    /// Write a span of a camera's recording to an MP4 file.
    Export(Export),
    /// Compare the index with the files. Ends with 0 only if they agree.
    Check {
        /// Read every byte and compare it with the checksums written with it. Takes as long as
        /// reading the disk.
        #[arg(long)]
        bytes: bool,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        json: Json,
    },
    /// Add accounts or set new passwords.
    User {
        #[command(subcommand)]
        command: User,
    },
    /// Show the configuration.
    Config {
        /// Print every key with its default and what it means.
        #[arg(long, required = true)]
        default: bool,
    },
    /// Print a reference page: what `cargo xtask gen` reads.
    #[command(hide = true)]
    Docs {
        #[arg(value_enum)]
        what: Docs,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Docs {
    Cli,
    Openapi,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Data {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) data: Data,
    /// Configuration file; see `khien config --default`.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, instead of the configuration's `http.listen`. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct Camera {
    /// Send a moving test pattern with clock, camera id and frame number.
    #[arg(long, group = "source")]
    pub(crate) pattern: bool,
    /// Send this MP4 or Annex B file, looped, without re-encoding.
    #[arg(long, group = "source", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Send what this V4L2 device captures, for example /dev/video0.
    #[arg(long, group = "source", value_name = "DEVICE")]
    pub(crate) device: Option<PathBuf>,
    /// Where to listen for RTSP. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8554")]
    pub(crate) listen: SocketAddr,
    /// Serve RTSPS with a certificate made at start.
    #[arg(long)]
    pub(crate) tls: bool,
    /// The user that viewers log in as.
    #[arg(long, value_name = "U")]
    pub(crate) user: String,
    /// File whose first line is that user's password.
    #[arg(long, value_name = "F")]
    pub(crate) password_file: PathBuf,
    /// Digest algorithms offered to viewers.
    #[arg(long, value_enum, default_value = "both")]
    pub(crate) digest: Digest,
    /// Picture size of the pattern or device.
    #[arg(long, value_name = "WxH", default_value = "1920x1080", value_parser = size)]
    pub(crate) size: (u32, u32),
    /// Pictures per second of the pattern or device.
    #[arg(long, default_value_t = 30)]
    pub(crate) fps: u32,
    /// Bit rate of the pattern or device.
    #[arg(long, default_value = "4Mbps")]
    pub(crate) bitrate: Bitrate,
    /// Distance of key frames of the pattern or device.
    #[arg(long, value_name = "SECONDS", default_value = "2s", value_parser = seconds)]
    pub(crate) gop: f64,
    /// Codec of the pattern or device.
    #[arg(long, value_enum, default_value = "h264")]
    pub(crate) codec: Codec,
    /// Number drawn into the pattern and carried in its block code.
    #[arg(long, default_value_t = 1)]
    pub(crate) tag: u32,
    /// Encode even where the kernel cannot cage the encoder's process.
    #[arg(long)]
    pub(crate) allow_uncaged: bool,
    /// End when the process that started this one ends.
    #[arg(long, hide = true)]
    pub(crate) with_parent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Digest {
    Md5,
    Sha256,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    H264,
    H265,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Demo {
    /// The data directory; kept between starts.
    #[arg(long, value_name = "DIR", default_value = "khien-demo")]
    pub(crate) data: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// File for the file camera; without one, a short clip is made.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Encode and decode even where the kernel cannot cage the process that does.
    #[arg(long)]
    pub(crate) allow_uncaged: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Cameras {
    /// Show all cameras and how they are.
    List {
        /// Show removed cameras of which recordings are left instead; ask for those by id.
        #[arg(long)]
        removed: bool,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        json: Json,
    },
    /// Add a camera and begin to record it.
    Add {
        /// A name for people.
        name: String,
        #[command(flatten)]
        source: SourceUrl,
        /// Trust only the certificate with this fingerprint, from the first connection on.
        #[arg(long, value_name = "SHA256")]
        accept_certificate: Option<String>,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        json: Json,
    },
    /// Trust another certificate of a camera, and no other: after it changed for a known reason.
    Accept {
        name: String,
        /// The certificate's SHA-256 fingerprint, 64 hexadecimal digits.
        #[arg(value_name = "SHA256")]
        sha256: String,
        #[command(flatten)]
        data: Data,
    },
    /// Stop recording a camera and forget it. Its recordings stay until retention takes them.
    Remove {
        name: String,
        #[command(flatten)]
        data: Data,
    },
    /// Connect once and show what a camera sends.
    Probe {
        #[command(flatten)]
        source: SourceUrl,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SourceUrl {
    /// rtsp:// or rtsps:// address without user and password.
    pub(crate) url: String,
    /// User at the camera.
    #[arg(long, value_name = "U", requires = "password_file")]
    pub(crate) user: Option<String>,
    /// File whose first line is the password at the camera.
    #[arg(long, value_name = "F", requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// How the camera is to send.
    #[arg(long, value_enum, default_value = "tcp")]
    pub(crate) transport: Transport,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Recordings {
    /// Show recorded spans, gaps, and what retention deleted, of a camera.
    List {
        /// Name or id; of a removed camera its id.
        #[arg(long, value_name = "NAME")]
        camera: String,
        #[command(flatten)]
        span: SpanArgs,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct SpanArgs {
    /// First instant, RFC 3339 ("2026-08-01T07:00:00Z").
    #[arg(long, value_name = "T")]
    pub(crate) from: Wall,
    /// End, exclusive.
    #[arg(long, value_name = "T")]
    pub(crate) to: Wall,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Export {
    /// Name or id; of a removed camera its id.
    #[arg(long, value_name = "NAME")]
    pub(crate) camera: String,
    #[command(flatten)]
    pub(crate) span: SpanArgs,
    /// File to write; appears only when complete.
    #[arg(long, value_name = "FILE.mp4")]
    pub(crate) out: PathBuf,
    /// Replace a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) data: Data,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum User {
    /// Add an account, also before the first start.
    Add(UserArgs),
    /// Set a new password and end the account's sessions.
    Reset(UserReset),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UserArgs {
    pub(crate) name: String,
    /// What the account may do.
    #[arg(long, value_enum)]
    pub(crate) role: Role,
    /// File whose first line is the password.
    #[arg(long, value_name = "F")]
    pub(crate) password_file: PathBuf,
    #[command(flatten)]
    pub(crate) data: Data,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UserReset {
    pub(crate) name: String,
    /// File whose first line is the new password.
    #[arg(long, value_name = "F")]
    pub(crate) password_file: PathBuf,
    #[command(flatten)]
    pub(crate) data: Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Owner,
    Viewer,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match parsed {
        Some((w @ 160..=7680, h @ 120..=4320)) if w % 2 == 0 && h % 2 == 0 => Ok((w, h)),
        _ => Err("write it like 1920x1080: even numbers from 160x120 to 7680x4320".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.strip_suffix('s').unwrap_or(text).parse() {
        Ok(s) if (0.1..=60.0).contains(&s) => Ok(s),
        _ => Err("write it like 2s: 0.1 to 60 seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_seconds() {
        assert_eq!(size("640x360"), Ok((640, 360)));
        for bad in ["640", "641x360", "0x0", "99999x2", "640x-2"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("2s"), Ok(2.0));
        assert_eq!(seconds("0.5"), Ok(0.5));
        assert!(seconds("0").is_err() && seconds("NaN").is_err());
    }
}
