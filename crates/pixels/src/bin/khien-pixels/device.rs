//! A V4L2 capture device, through FFmpeg's libavdevice: opened before the cage shuts, read after.
//! What it sends, raw or Motion JPEG, is decoded here.

#[cfg(feature = "v4l2")]
pub(crate) use v4l2::Device;

#[cfg(not(feature = "v4l2"))]
pub(crate) use absent::Device;

#[cfg(not(feature = "v4l2"))]
mod absent {
    use ffmpeg_next::frame;
    use pixels::wire::FaultKind;

    use crate::fault::{Faulty, fault};

    /// Cannot be made.
    pub(crate) enum Device {}

    impl Device {
        pub(crate) fn open(_path: &str, _size: &str, _fps: &str) -> Faulty<Self> {
            let text = "this khien-pixels was built without V4L2; install libavdevice-dev and \
                        build it with `cargo build -p pixels --features pixels/v4l2`";
            Err(fault(FaultKind::Unsupported, text))
        }

        #[allow(clippy::needless_pass_by_ref_mut, reason = "as the real one")]
        pub(crate) const fn next(&mut self) -> Faulty<frame::Video> {
            match *self {}
        }
    }
}

#[cfg(feature = "v4l2")]
mod v4l2 {
    use ffmpeg::codec::decoder;
    use ffmpeg::format::context::Input;
    use ffmpeg::{Dictionary, Packet, frame, media};
    use ffmpeg_next as ffmpeg;
    use pixels::wire::FaultKind;

    use crate::decode::is_again;
    use crate::fault::{Faulty, fault, internal};

    pub(crate) struct Device {
        input: Input,
        stream: usize,
        decoder: decoder::Video,
    }

    /// Packets without a picture before the device is given up.
    const EMPTY_MAX: usize = 256;

    impl Device {
        /// Motion JPEG first: at large sizes few devices send enough raw pictures.
        pub(crate) fn open(path: &str, size: &str, fps: &str) -> Faulty<Self> {
            let mut last = fault(FaultKind::Unsupported, "FFmpeg here knows no V4L2 devices");
            for format in [Some("mjpeg"), None] {
                match Self::open_as(path, size, fps, format) {
                    Ok(device) => return Ok(device),
                    Err(e) => last = e,
                }
            }
            Err(last)
        }

        fn open_as(path: &str, size: &str, fps: &str, format: Option<&str>) -> Faulty<Self> {
            let name = |f: &ffmpeg::Format| f.name().contains("v4l2");
            let lacking = || fault(FaultKind::Unsupported, "FFmpeg here knows no V4L2 devices");
            let v4l2 = ffmpeg::device::input::video().find(name).ok_or_else(lacking)?;
            let mut options = Dictionary::new();
            options.set("video_size", size);
            options.set("framerate", fps);
            if let Some(format) = format {
                options.set("input_format", format);
            }
            let wrong = |e: ffmpeg::Error| {
                let text = format!("{path} does not open as a camera of {size} at {fps}/s ({e})");
                fault(FaultKind::Device, text)
            };
            let opened = ffmpeg::format::open_with(path, &v4l2, options).map_err(wrong)?;
            let input = opened.input();
            let best = input.streams().best(media::Type::Video);
            let (stream, parameters) = best
                .map(|s| (s.index(), s.parameters()))
                .ok_or_else(|| fault(FaultKind::Device, format!("{path} sends no pictures")))?;
            let context = ffmpeg::codec::Context::from_parameters(parameters);
            let decoder = context.and_then(|c| c.decoder().video());
            let decoder = decoder.map_err(|e| internal("the device's pictures", e))?;
            Ok(Self { input, stream, decoder })
        }

        /// Waits for the next picture. A broken one is passed over: webcams send some.
        pub(crate) fn next(&mut self) -> Faulty<frame::Video> {
            let mut picture = frame::Video::empty();
            for _ in 0..EMPTY_MAX {
                match self.decoder.receive_frame(&mut picture) {
                    Ok(()) => return Ok(picture),
                    Err(e) if is_again(&e) => {}
                    Err(e) => return Err(internal("the device's pictures", e)),
                }
                let mut packet = Packet::empty();
                let gone = |e| fault(FaultKind::Device, format!("the device is gone ({e})"));
                packet.read(&mut self.input).map_err(gone)?;
                if packet.stream() == self.stream {
                    let _ = self.decoder.send_packet(&packet);
                }
            }
            Err(fault(FaultKind::Device, "the device sends no pictures"))
        }
    }
}
