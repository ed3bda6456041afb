// Plays a camera's recording from a moment on: fetches, places on the time line, goes over holes,
// and at the end of what is recorded waits for more.
import type { Problem } from "../api/types";
import { SECOND, type Us } from "../lib/time";
import { type Attached, attach } from "./attach";
import { WallClock } from "./clock";
import { engine, unplayable } from "./codec";
import { Feed, FeedError, pause } from "./feed";
import { BufferQueue } from "./queue";
import { type Batch, type Placed, placeOffset, wantAhead } from "./schedule";
import { ahead, overHole, trim } from "./steer";

export type RecordState =
  | { kind: "idle" }
  | { kind: "loading" }
  | { kind: "playing" }
  | { kind: "paused" }
  /** All that is recorded was shown; goes on by itself when more is. */
  | { kind: "caught-up" }
  /** Nothing is recorded at or after the moment. */
  | { kind: "nothing" }
  | { kind: "unsupported"; codecs: string[] }
  | { kind: "failed"; problem: Problem };

const KEEP_BEHIND_S = 30;
const TICK_MS = 150;
const POLL_MS = 1500;
/** After running dry at the end of the recording: go on with this much, so that it does not stutter. */
const RESUME_S = 4;

export class RecordPlayer {
  private readonly video: HTMLVideoElement;
  private readonly camera: string;
  private readonly onState: (state: RecordState) => void;
  private readonly clock = new WallClock();
  private readonly life = new AbortController();
  private attached: Attached | undefined;
  private queue: BufferQueue | undefined;
  private mime = "";
  private load: AbortController | undefined;
  private base_us: Us = 0;
  private pending: Us | undefined;
  private wants = false;
  private rate = 1;
  private dry = false;
  private holding = false;
  private state: RecordState = { kind: "idle" };
  private readonly tick: ReturnType<typeof setInterval>;

  constructor(video: HTMLVideoElement, camera: string, onState: (state: RecordState) => void) {
    this.video = video;
    this.camera = camera;
    this.onState = onState;
    this.tick = setInterval(() => this.look(), TICK_MS);
  }

  destroy(): void {
    clearInterval(this.tick);
    this.load?.abort();
    this.life.abort();
    this.queue?.close();
    this.attached?.detach();
  }

  /** The instant on the screen, or the one on its way there. */
  at(): Us | undefined {
    return this.pending ?? this.clock.wall(this.video.currentTime);
  }

  get playing(): boolean {
    return this.wants;
  }

  play(): void {
    this.wants = true;
    this.holding = false;
    this.look();
  }

  pause(): void {
    this.wants = false;
    this.holding = false;
    this.video.pause();
    if (this.state.kind === "playing" || this.state.kind === "caught-up")
      this.say({ kind: "paused" });
  }

  setRate(rate: number): void {
    this.rate = rate;
    this.video.playbackRate = rate;
  }

  /** One picture on or back, standing. */
  step(seconds: number): void {
    this.pause();
    this.video.currentTime = Math.max(0, this.video.currentTime + seconds);
  }

  /** Shows the picture of a moment, and goes on from there if it was playing. */
  seek(at: Us): void {
    const media_s = this.place(at);
    const ranges = this.queue?.ranges ?? [];
    const here = ranges.some((r) => media_s >= r.start && media_s < r.end - 0.2);
    if (here && this.pending === undefined && this.load) {
      this.holding = false;
      this.video.currentTime = media_s;
      return;
    }
    this.pending = at;
    this.holding = false;
    this.say({ kind: "loading" });
    this.load?.abort();
    const load = new AbortController();
    this.load = load;
    this.run(at, load.signal).catch((e: unknown) => {
      if (load.signal.aborted) return;
      this.pending = undefined;
      this.load = undefined;
      const problem =
        e instanceof FeedError ? e.problem : { status: 0, code: "playback", detail: String(e) };
      this.say({ kind: "failed", problem });
    });
  }

  /** As `seek` while a finger drags: not before the last one has shown its picture. */
  scrub(at: Us): boolean {
    if (this.pending !== undefined) return false;
    this.seek(at);
    return true;
  }

  private say(state: RecordState): void {
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    this.onState(state);
  }

  private async run(at: Us, signal: AbortSignal): Promise<void> {
    const feed = new Feed(this.camera, signal);
    const first = await feed.open(at);
    if (!first) {
      this.pending = undefined;
      this.load = undefined;
      return this.say({ kind: "nothing" });
    }
    // One second before the first picture, so that jitter cannot push it below zero.
    this.base_us = first.start_us - SECOND;
    this.clock.clear();
    this.queue?.restart();
    let placed: Placed | undefined;
    let shown = false;
    for (;;) {
      const next = await feed.next(!shown);
      if (!next) {
        this.dry = true;
        await pause(POLL_MS, signal);
        continue;
      }
      this.dry = false;
      const queue = await this.ready(feed, next.batch, placed?.init);
      if (!queue || signal.aborted) return;
      placed = this.append(queue, next.batch, next.bytes, placed);
      await queue.settled();
      if (signal.aborted) return;
      if (!shown) {
        shown = true;
        this.show(Math.max(at, first.start_us));
      }
      while (this.lead() > wantAhead(this.rate)) await pause(300, signal);
    }
  }

  /** The first picture is in the buffer: go there. */
  private show(at: Us): void {
    this.video.currentTime = this.place(at);
    this.video.playbackRate = this.rate;
    this.pending = undefined;
    if (!this.wants) this.say({ kind: "paused" });
  }

  /** Where an instant is in the buffer. */
  private place(at: Us): number {
    return this.clock.media(at) ?? (at - this.base_us) / SECOND;
  }

  private lead(): number {
    return ahead(this.queue?.ranges ?? [], this.video.currentTime);
  }

  /** The buffer, opened and told which media comes; undefined if the browser cannot play it. */
  private async ready(
    feed: Feed,
    batch: Batch,
    before: string | undefined,
  ): Promise<BufferQueue | undefined> {
    if (this.queue && before === batch.init) return this.queue;
    const init = await feed.init(batch);
    const supports = (type: string): boolean => engine()?.isTypeSupported(type) ?? false;
    if (!supports(init.mime)) {
      this.pending = undefined;
      this.load = undefined;
      this.say({ kind: "unsupported", codecs: unplayable(init.mime, supports) });
      return undefined;
    }
    if (!this.queue) {
      this.attached = await attach(this.video, this.life.signal);
      const sink = this.attached.source.addSourceBuffer(init.mime);
      this.queue = new BufferQueue(sink, () => this.video.currentTime, this.broke);
    } else if (this.mime !== init.mime) {
      this.queue.push({ do: "type", mime: init.mime });
    }
    this.mime = init.mime;
    this.queue.push({ do: "append", data: init.bytes, init: true });
    return this.queue;
  }

  /** Appends a batch as one piece: all of it has the same offset. */
  private append(
    queue: BufferQueue,
    batch: Batch,
    bytes: ArrayBuffer,
    before: Placed | undefined,
  ): Placed | undefined {
    const [first] = batch.fragments;
    if (!first) return before;
    const placed = placeOffset(first, this.base_us, before);
    if (placed.offset_s !== before?.offset_s) {
      queue.push({ do: "offset", seconds: placed.offset_s });
    }
    queue.push({ do: "append", data: bytes });
    for (const fragment of batch.fragments) {
      const media_s = placed.offset_s + fragment.decode_time_s;
      this.clock.add({ media_s, wall_us: fragment.start_us });
    }
    return placed;
  }

  private readonly broke = (reason: string): void => {
    this.load?.abort();
    this.load = undefined;
    this.queue = undefined;
    this.attached?.detach();
    this.attached = undefined;
    this.pending = undefined;
    this.say({ kind: "failed", problem: { status: 0, code: "playback", detail: reason } });
  };

  private look(): void {
    const { video, queue } = this;
    if (!queue || this.pending !== undefined || !this.load) return;
    if (video.error) {
      queue.close();
      return this.broke(video.error.message);
    }
    const ranges = queue.ranges;
    const old = trim(ranges, video.currentTime, KEEP_BEHIND_S);
    if (old) queue.push({ do: "remove", ...old });
    if (!this.wants) return;
    const lead = this.lead();
    if (this.holding) {
      if (lead < RESUME_S) return;
      this.holding = false;
    }
    if (video.paused) {
      video.playbackRate = this.rate;
      video.play().catch((e: unknown) => {
        if (e instanceof DOMException && e.name === "NotAllowedError") this.pause();
      });
    }
    if (lead > 0.15) return this.say({ kind: "playing" });
    const beyond = overHole(ranges, video.currentTime);
    if (beyond !== undefined) {
      video.currentTime = beyond;
    } else if (this.dry) {
      this.holding = true;
      video.pause();
      this.say({ kind: "caught-up" });
    } else {
      this.say({ kind: "loading" });
    }
  }
}
