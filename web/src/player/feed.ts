// The stored side of playback: which fragments come next, and their bytes. No video element here.
import { fragments, initSegment, segmentMedia } from "../api/calls";
import type { Result } from "../api/client";
import type { Fragment, Problem } from "../api/types";
import { now, SECOND, type Us } from "../lib/time";
import { type Batch, firstBatch, newer, startingAt } from "./schedule";

const PAGE = 60;
/** How far back a picture may start that is still shown at the moment asked for. */
const KEY_WITHIN: readonly Us[] = [6 * SECOND, 60 * SECOND];
/** Fragments to ask for when a key frame is looked for in the past. */
const PAGE_BACK = 400;
/** Neighbours may overlap by the correction of a camera's clock: ask from so long before. */
const OVERLAP: Us = SECOND;
const TRIES = 4;

export interface InitBytes {
  bytes: ArrayBuffer;
  mime: string;
}

export class FeedError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.code);
    this.problem = problem;
  }
}

/** Reads a camera's recording from a moment on, in order, for as long as there is more. */
export class Feed {
  private list: Fragment[] = [];
  /** The newest fragment that was ever in the list. */
  private last: Fragment | undefined;
  private readonly inits = new Map<string, InitBytes>();
  private readonly camera: string;
  private readonly signal: AbortSignal;

  constructor(camera: string, signal: AbortSignal) {
    this.camera = camera;
    this.signal = signal;
  }

  /** Goes to the key frame at or before `at`, or, in a gap, to the next after it. */
  async open(at: Us): Promise<Fragment | undefined> {
    let list = startingAt(await this.page(at), at);
    for (const back of KEY_WITHIN) {
      if (list) break;
      const found = startingAt(await this.page(at - back, PAGE_BACK), at);
      if (found && found.length > 0) list = found;
    }
    this.list = list ?? [];
    this.last = this.list.at(-1);
    return this.list[0];
  }

  /** The next bytes to append; undefined when nothing more is recorded yet. */
  async next(small: boolean): Promise<{ batch: Batch; bytes: ArrayBuffer } | undefined> {
    if (this.list.length === 0) {
      const { last } = this;
      if (!last) return undefined;
      this.list = newer(await this.page(last.end_us - OVERLAP), last);
      this.last = this.list.at(-1) ?? last;
    }
    const batch = firstBatch(this.list, small);
    if (!batch) return undefined;
    const { segment, offset, size } = batch;
    const body = await this.insist(() =>
      segmentMedia(this.camera, segment, offset, size, this.signal),
    );
    this.list.splice(0, batch.fragments.length);
    // Deleted by retention while we played: on with what is left.
    if (!body) return this.next(small);
    return { batch, bytes: body.bytes };
  }

  /** Ends where the list of fragments ends: what is known of the recording is all read. */
  get exhausted(): boolean {
    return this.list.length === 0;
  }

  async init(batch: Batch): Promise<InitBytes> {
    const known = this.inits.get(batch.init);
    if (known) return known;
    const body = await this.insist(() => initSegment(this.camera, batch.segment, this.signal));
    if (!body) throw new FeedError({ status: 404, code: "not-found", detail: "" });
    const mime = body.header("x-khien-mime") ?? body.header("content-type") ?? "video/mp4";
    const init = { bytes: body.bytes, mime };
    this.inits.set(batch.init, init);
    return init;
  }

  private async page(from: Us, limit = PAGE): Promise<Fragment[]> {
    const to = Math.max(now(), from) + 60 * SECOND;
    const page = await this.insist(() =>
      fragments(this.camera, Math.round(from), Math.round(to), limit, this.signal),
    );
    return page?.fragments ?? [];
  }

  /** Asks again when the network fails; undefined for what is not there. */
  private async insist<T>(ask: () => Promise<Result<T>>): Promise<T | undefined> {
    for (let tries = 1; ; tries += 1) {
      const result = await ask();
      if (result.kind === "ok") return result.value;
      if (result.kind === "aborted") throw new DOMException("stopped", "AbortError");
      const { status } = result.problem;
      if (status === 404 || status === 410) return undefined;
      const passing = status === 0 || status === 429 || (status >= 500 && status !== 501);
      if (!passing || tries >= TRIES) throw new FeedError(result.problem);
      await pause(500 * 2 ** (tries - 1), this.signal);
    }
  }
}

/** Waits; rejects at once when the signal says stop. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done, refuse) => {
    const stop = () => {
      clearTimeout(timer);
      refuse(new DOMException("stopped", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      done();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
