//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Audio, Config, Media, Quirk, Timers};

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run a camera.
    Run(Box<Config>),
    /// Print every quirk.
    ListQuirks,
    /// Print how to use it.
    Help,
}

/// How to use it.
const HELP: &str = "\
fakecam: an RTSP camera that misbehaves on request
  --listen ADDRESS:PORT   where to listen (default 127.0.0.1:0)
  --media NAME            h264 h264-b h264-alt h264-long-gop h264-open h264-hard
                          h265 h265-cra h265-4k jpeg jpeg-2560 mp2t
  --audio NAME            none aac pcmu pcma opus pcm
  --quirk ID              may be repeated; --list-quirks prints them
  --variant N             which form of the quirk
  --fast                  short timers, as in tests
  --user U --password P   ask for them (Digest with MD5)
  --sha256 --basic        offer these as well
  --tls                   rtsps with a new certificate
  --loop                  start the clip again at its end
  --fps N                 pictures per second (default 15)
  --seed N                of everything random
  --media-dir DIRECTORY   where the clips are
  --close-after N --half-open-at N --stop-mid-frame-at N --garbage-at N
  --change-parameters-at N                                   faults at picture N
  --udp-drop X --udp-swap X --udp-double X                   fractions of 1";

impl Command {
    /// The help text.
    pub fn help() -> &'static str {
        HELP
    }
}

fn value<T: FromStr>(name: &str, text: Option<String>) -> Result<T, String> {
    let text = text.ok_or_else(|| format!("{name} needs a value"))?;
    text.parse().map_err(|_| format!("{name}: cannot use {text}"))
}

/// Reads arguments, without the program's name.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut config = Config { repeat: false, ..Config::default() };
    let mut quirks: Vec<Quirk> = Vec::new();
    let (mut user, mut password) = (None, None);
    let mut chosen: (Option<Media>, Option<Audio>, Option<u32>) = (None, None, None);
    let mut words = arguments.into_iter();
    while let Some(word) = words.next() {
        let name = word.as_str();
        match name {
            "--help" | "-h" => return Ok(Command::Help),
            "--list-quirks" => return Ok(Command::ListQuirks),
            "--listen" => config.listen = value::<SocketAddr>(name, words.next())?,
            "--media" => chosen.0 = Some(value(name, words.next())?),
            "--audio" => chosen.1 = Some(value(name, words.next())?),
            "--quirk" => quirks.push(value(name, words.next())?),
            "--variant" => chosen.2 = Some(value(name, words.next())?),
            "--fast" => config.timers = Timers::FAST,
            "--user" => user = Some(value(name, words.next())?),
            "--password" => password = Some(value(name, words.next())?),
            "--sha256" => config.sha256 = true,
            "--basic" => config.basic = true,
            "--tls" => config.tls = true,
            "--loop" => config.repeat = true,
            "--fps" => config.fps = value(name, words.next())?,
            "--seed" => config.seed = value(name, words.next())?,
            "--media-dir" => config.media_dir = Some(value::<PathBuf>(name, words.next())?),
            _ => fault(&mut config, name, words.next())?,
        }
    }
    if !(config.fps > 0.0 && config.fps <= 1000.0) {
        return Err("--fps: between 0 and 1000".into());
    }
    match (user, password) {
        (Some(user), Some(password)) => config.credentials = Some((user, password)),
        (None, None) => {}
        _ => return Err("--user and --password come together".into()),
    }
    for quirk in quirks {
        config = config.with_quirk(quirk);
    }
    if let Some(variant) = chosen.2 {
        config = config.variant(variant);
    }
    config.media = chosen.0.unwrap_or(config.media);
    config.audio = chosen.1.unwrap_or(config.audio);
    Ok(Command::Run(Box::new(config)))
}

fn fault(config: &mut Config, name: &str, text: Option<String>) -> Result<(), String> {
    let faults = &mut config.faults;
    match name {
        "--close-after" => faults.close_after = Some(value(name, text)?),
        "--half-open-at" => faults.half_open_at = Some(value(name, text)?),
        "--stop-mid-frame-at" => faults.stop_mid_frame_at = Some(value(name, text)?),
        "--garbage-at" => faults.garbage_at = Some(value(name, text)?),
        "--change-parameters-at" => faults.change_parameters_at = Some(value(name, text)?),
        "--udp-drop" => faults.udp.drop = value(name, text)?,
        "--udp-swap" => faults.udp.swap = value(name, text)?,
        "--udp-double" => faults.udp.double = value(name, text)?,
        _ => return Err(format!("{name}: no such option; see --help")),
    }
    Ok(())
}

impl FromStr for Media {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Ok(match s {
            "h264" => Self::H264,
            "h264-b" => Self::H264B,
            "h264-alt" => Self::H264Alt,
            "h264-long-gop" => Self::H264LongGop,
            "h264-gop6" => Self::H264Gop6,
            "h264-open" => Self::H264Open,
            "h264-hard" => Self::H264Hard,
            "h265" => Self::H265,
            "h265-cra" => Self::H265Cra,
            "h265-4k" => Self::H265Uhd,
            "jpeg" => Self::Jpeg,
            "jpeg-2560" => Self::JpegLarge,
            "mp2t" => Self::Mp2t,
            _ => return Err(format!("{s}: no such clip")),
        })
    }
}

impl FromStr for Audio {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Ok(match s {
            "none" => Self::None,
            "aac" => Self::Aac,
            "pcmu" => Self::Pcmu,
            "pcma" => Self::Pcma,
            "opus" => Self::Opus,
            "pcm" => Self::Pcm,
            _ => return Err(format!("{s}: no such sound")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Config, String> {
        match parse(line.split_whitespace().map(String::from))? {
            Command::Run(config) => Ok(*config),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_full_line_is_understood_and_choices_win_over_what_a_quirk_brings() {
        let config =
            run("--listen 127.0.0.1:5 --quirk gop-smart --quirk auth-digest-only --media h265 \
             --audio aac --user u --password p --loop --close-after 7 --udp-drop 0.5 --variant 1")
            .expect("parses");
        assert_eq!((config.media, config.audio, config.variant), (Media::H265, Audio::Aac, 1));
        assert_eq!(config.credentials, Some(("u".into(), "p".into())));
        assert!(config.repeat && config.sha256 && !config.md5 && config.has(Quirk::GopSmart));
        assert_eq!((config.faults.close_after, config.faults.udp.drop), (Some(7), 0.5));
    }

    #[test]
    fn nonsense_is_refused_with_the_option_named() {
        for (line, part) in [
            ("--listen here", "--listen"),
            ("--quirk none-such", "none-such"),
            ("--user u", "--password"),
            ("--what", "--what"),
            ("--fps 0", "--fps"),
            ("--variant", "--variant"),
        ] {
            let error = run(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
