// One live picture: socket → buffer → <video>, kept close to now.
import { liveUrl } from "../api/calls";
import { reportSignedOut } from "../api/client";
import { type Attached, attach } from "./attach";
import { peek } from "./boxes";
import { WallClock } from "./clock";
import { codecsOf, engine, hasAudio, unplayable } from "./codec";
import { type InitMessage, LiveSocket } from "./live";
import { BufferQueue } from "./queue";
import { nextTarget, steerLive, TARGET_MIN, trim } from "./steer";

export type LiveState =
  | { kind: "connecting" }
  | { kind: "playing" }
  | { kind: "waiting"; why: "offline" | "network" }
  | { kind: "paused" }
  /** The browser refuses to play without a touch. */
  | { kind: "blocked" }
  /** The browser cannot decode this. */
  | { kind: "unsupported"; codecs: string[] }
  | { kind: "gone" };

export interface LiveInfo {
  mime: string;
  width: number;
  height: number;
  /** Seconds between the picture shown and the newest one received. */
  behind_s: number;
  rate: number;
  /** Frames that the server or we left out. */
  dropped: number;
  sound: boolean;
  wall_us: number | undefined;
}

const KEEP_BEHIND_S = 20;
const TICK_MS = 100;
/** Media that waits longer than this for its turn is dropped up to the next key frame. */
const QUEUE_MS_MAX = 2000;

export class LivePlayer {
  private readonly video: HTMLVideoElement;
  private readonly onState: (state: LiveState) => void;
  private readonly socket: LiveSocket;
  private readonly clock = new WallClock(10);
  private readonly stop = new AbortController();
  private attached: Attached | undefined;
  private attaching = false;
  private queue: BufferQueue | undefined;
  private buffered_mime = "";
  private mime = "";
  private tick: ReturnType<typeof setInterval> | undefined;
  private state: LiveState = { kind: "paused" };
  private settled = false;
  private target = TARGET_MIN;
  private last_at = -1;
  private last_move_ms = 0;
  private last_stall_ms = 0;
  private waiting_since_ms = 0;
  private needs_key = false;
  private dropped = 0;

  constructor(video: HTMLVideoElement, camera: string, onState: (state: LiveState) => void) {
    this.video = video;
    this.onState = onState;
    this.socket = new LiveSocket(liveUrl(camera), {
      init: (message, segment) => void this.init(message, segment),
      fragment: (bytes) => this.fragment(bytes),
      wall: (us, media_s) => this.clock.add({ media_s, wall_us: us }),
      drop: (frames) => {
        this.dropped += frames;
      },
      broken: ({ offline, final }) => {
        this.backlog = undefined;
        if (final === "login") reportSignedOut();
        this.say(
          final === "gone"
            ? { kind: "gone" }
            : { kind: "waiting", why: offline ? "offline" : "network" },
        );
      },
    });
  }

  /** Media that came while the media source was still opening. */
  private backlog: ArrayBuffer[] | undefined;

  start(): void {
    if (this.tick !== undefined || this.stop.signal.aborted) return;
    if (this.state.kind === "unsupported" || this.state.kind === "gone") return;
    this.say({ kind: "connecting" });
    this.tick = setInterval(() => this.look(), TICK_MS);
    this.socket.open();
  }

  /** Stops pulling; the last picture stays. */
  pause(): void {
    if (this.tick === undefined) return;
    clearInterval(this.tick);
    this.tick = undefined;
    this.socket.close();
    this.video.pause();
    if (this.state.kind !== "unsupported") this.say({ kind: "paused" });
  }

  destroy(): void {
    this.pause();
    this.stop.abort();
    this.queue?.close();
    this.attached?.detach();
  }

  info(): LiveInfo {
    const at = this.video.currentTime;
    const end = this.queue?.ranges.at(-1)?.end ?? at;
    const quality = this.video.getVideoPlaybackQuality?.();
    return {
      mime: this.mime,
      width: this.video.videoWidth,
      height: this.video.videoHeight,
      behind_s: Math.max(0, end - at),
      rate: this.video.playbackRate,
      dropped: this.dropped + (quality?.droppedVideoFrames ?? 0),
      sound: hasAudio(this.mime),
      wall_us: this.clock.wall(at),
    };
  }

  private say(state: LiveState): void {
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    this.onState(state);
  }

  private async init(message: InitMessage, segment: ArrayBuffer): Promise<void> {
    const supports = (type: string): boolean => engine()?.isTypeSupported(type) ?? false;
    if (!supports(message.mime)) {
      const codecs = engine() ? unplayable(message.mime, supports) : codecsOf(message.mime);
      this.say({ kind: "unsupported", codecs });
      return this.pause();
    }
    this.mime = message.mime;
    this.settled = false;
    this.needs_key = false;
    this.last_at = -1;
    this.clock.clear();
    this.backlog = [segment];
    if (this.attaching) return;
    if (!this.queue) {
      this.attaching = true;
      const opened = await this.openBuffer();
      this.attaching = false;
      if (!opened) return;
    } else {
      this.queue.restart();
    }
    if (this.buffered_mime !== this.mime) this.queue?.push({ do: "type", mime: this.mime });
    this.buffered_mime = this.mime;
    const [first, ...rest] = this.backlog ?? [];
    this.backlog = undefined;
    if (first) this.queue?.push({ do: "append", data: first, init: true });
    for (const data of rest) this.queue?.push({ do: "append", data });
  }

  private async openBuffer(): Promise<boolean> {
    try {
      this.attached = await attach(this.video, this.stop.signal);
      const sink = this.attached.source.addSourceBuffer(this.mime);
      this.buffered_mime = this.mime;
      this.queue = new BufferQueue(sink, () => this.video.currentTime, this.rebuild);
      return true;
    } catch {
      return false;
    }
  }

  /** The buffer broke (bad data, decoder lost): everything anew, after a breath. */
  private readonly rebuild = (): void => {
    this.queue?.close();
    this.queue = undefined;
    this.socket.close();
    this.say({ kind: "waiting", why: "network" });
    setTimeout(() => {
      if (this.stop.signal.aborted || this.tick === undefined) return;
      this.attached?.detach();
      this.attached = undefined;
      this.socket.open();
    }, 1000);
  };

  private fragment(bytes: ArrayBuffer): void {
    if (this.backlog) {
      this.backlog.push(bytes);
      return;
    }
    const queue = this.queue;
    if (!queue) return;
    const waits = queue.length > 0;
    if (!waits) this.waiting_since_ms = Date.now();
    else if (Date.now() - this.waiting_since_ms > QUEUE_MS_MAX) {
      this.dropped += queue.length;
      queue.dropMedia();
      this.needs_key = true;
      this.waiting_since_ms = Date.now();
    }
    if (this.needs_key) {
      const what = peek(bytes);
      if (what && !(what.key && what.track === 1)) {
        this.dropped += 1;
        return;
      }
      this.needs_key = false;
    }
    queue.push({ do: "append", data: bytes });
  }

  /** Ten times a second: where are we, where should we be? */
  private look(): void {
    const { video, queue } = this;
    if (!queue || this.attaching) return;
    if (video.error) return this.rebuild();
    const ranges = queue.ranges;
    const newest = ranges.at(-1);
    if (!newest) return;
    const now_ms = performance.now();
    const moved = video.currentTime !== this.last_at;
    if (moved || video.seeking) this.last_move_ms = now_ms;
    if (this.last_at < 0) {
      // The first picture of all at once, the jump to now when it is there.
      video.currentTime = newest.start;
      this.last_at = newest.start;
      return this.play();
    }
    this.last_at = video.currentTime;
    if (moved && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA)
      this.say({ kind: "playing" });
    if (video.paused) this.play();
    const stalled = (now_ms - this.last_move_ms) / 1000;
    if (this.settled) this.learn(now_ms, stalled);
    const steer = steerLive({
      at: video.currentTime,
      rate: video.playbackRate,
      ranges,
      stalled,
      settled: this.settled,
      target: this.target,
    });
    switch (steer.do) {
      case "keep":
        break;
      case "rate":
        video.playbackRate = steer.rate;
        break;
      case "seek":
        video.currentTime = steer.to;
        video.playbackRate = 1;
        this.last_move_ms = now_ms;
        break;
    }
    if (moved) this.settled = true;
    const old = trim(ranges, video.currentTime, KEEP_BEHIND_S);
    if (old) queue.push({ do: "remove", ...old });
  }

  private learn(now_ms: number, stalled: number): void {
    const calm_s = (now_ms - this.last_stall_ms) / 1000;
    const stall = stalled > 0.25 && calm_s > 1;
    if (!stall && calm_s <= 30) return;
    this.target = nextTarget(this.target, stall, calm_s);
    this.last_stall_ms = now_ms;
  }

  private play(): void {
    this.video.play().catch((e: unknown) => {
      if (e instanceof DOMException && e.name === "NotAllowedError") this.say({ kind: "blocked" });
    });
  }
}
