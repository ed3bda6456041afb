// Moving pictures for the mock server: short loops made by ffmpeg, cut into one-frame fragments.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const FPS = 25;
export const LOOP_S = 20;
const GOP_S = 2;
/** Ticks a second of the media in the loops. */
const RATE = 12_800;

const SOURCES = [
  "testsrc2=size=640x360",
  "gradients=size=640x360:c0=0x0c4a4a:c1=0x7fb7a4:c2=0x1d2b3a:nb_colors=3:speed=0.02",
  "smptehdbars=size=640x360",
  "mandelbrot=size=640x360:end_scale=0.02:inner=black",
];

function make(source, n) {
  const dir = join(tmpdir(), "khien-mock");
  mkdirSync(dir, { recursive: true });
  const [movie, still] = [join(dir, `${n}.mp4`), join(dir, `${n}.jpg`)];
  const clock = "drawbox=x='mod(t*32,640)':y=340:w=12:h=12:color=white:t=fill";
  if (!existsSync(movie)) {
    const input = ["-f", "lavfi", "-i", `${source}:rate=${FPS}`, "-t", String(LOOP_S)];
    const codec = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0"];
    const groups = ["-g", String(FPS * GOP_S), "-sc_threshold", "0", "-crf", "30"];
    const cut = ["-movflags", "frag_every_frame+empty_moov+default_base_moof"];
    const scale = ["-video_track_timescale", String(RATE)];
    const args = ["-v", "error", "-y", ...input, "-vf", clock, ...codec, ...groups];
    execFileSync("ffmpeg", [...args, ...scale, ...cut, movie]);
  }
  if (!existsSync(still)) {
    execFileSync("ffmpeg", ["-v", "error", "-y", "-ss", "7", "-i", movie, "-frames:v", "1", still]);
  }
  return { movie: readFileSync(movie), still: readFileSync(still) };
}

/** Top-level boxes of a file. */
function* boxes(file) {
  for (let at = 0; at + 8 <= file.length; ) {
    const size = file.readUInt32BE(at);
    yield { kind: file.toString("latin1", at + 4, at + 8), from: at, to: at + size };
    at += size;
  }
}

/** Where the decode time of a moof is written: `tfdt`, version 1. */
function timeAt(moof) {
  const at = moof.indexOf("tfdt", 0, "latin1");
  if (at < 0 || moof[at + 4] !== 1) throw new Error("the loop has no 64-bit tfdt");
  return at + 8;
}

export class Loop {
  constructor(n) {
    const { movie, still } = make(SOURCES[n % SOURCES.length], n % SOURCES.length);
    this.still = still;
    this.frames = [];
    const head = [];
    let moof;
    for (const box of boxes(movie)) {
      const bytes = movie.subarray(box.from, box.to);
      if (box.kind === "ftyp" || box.kind === "moov") head.push(bytes);
      else if (box.kind === "moof") moof = bytes;
      else if (box.kind === "mdat" && moof) this.frames.push(Buffer.concat([moof, bytes]));
    }
    this.init = Buffer.concat(head);
    const avcc = this.init.indexOf("avcC", 0, "latin1") + 5;
    const profile = this.init
      .subarray(avcc, avcc + 3)
      .toString("hex")
      .toUpperCase();
    this.mime = `video/mp4; codecs="avc1.${profile}"`;
    this.time = timeAt(this.frames[0]);
  }

  /** One frame of the endless loop, placed at frame number `place` of the media. */
  frame(number, place) {
    const bytes = Buffer.from(this.frames[number % this.frames.length]);
    bytes.writeBigUInt64BE(BigInt(place * (RATE / FPS)), this.time);
    return bytes;
  }

  static isKey(number) {
    return number % (FPS * GOP_S) === 0;
  }

  /** Bytes of the second that begins with frame `number`. */
  secondSize(number) {
    let size = 0;
    for (let i = 0; i < FPS; i += 1) size += this.frames[(number + i) % this.frames.length].length;
    return size;
  }

  second(number, place) {
    return Buffer.concat(Array.from({ length: FPS }, (_, i) => this.frame(number + i, place + i)));
  }
}
