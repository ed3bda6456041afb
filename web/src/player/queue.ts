// One SourceBuffer and the line of things to do with it, one after the other: a SourceBuffer takes
// nothing while it works on the last thing.
import { type Range, toRanges } from "./steer";

export type Step =
  | { do: "append"; data: ArrayBuffer; init?: boolean }
  | { do: "offset"; seconds: number }
  | { do: "remove"; start: number; end: number }
  | { do: "type"; mime: string };

/** The part of a SourceBuffer that the queue uses. */
export interface Sink {
  readonly updating: boolean;
  readonly buffered: TimeRanges;
  timestampOffset: number;
  appendBuffer(data: ArrayBuffer): void;
  remove(start: number, end: number): void;
  changeType(mime: string): void;
  abort(): void;
  addEventListener(name: "updateend" | "error", listener: () => void): void;
  removeEventListener(name: "updateend" | "error", listener: () => void): void;
}

/** Neighbouring appends are joined up to this size: fewer, larger appends cost less. */
const JOIN_BYTES_MAX = 512 * 1024;
/** What is kept behind the play head when memory runs out. */
const KEEP_WHEN_FULL_S = 5;

export class BufferQueue {
  private steps: Step[] = [];
  private idle: (() => void)[] = [];
  private retried = false;
  private ended = false;
  private readonly sink: Sink;
  private readonly at: () => number;
  private readonly onBroken: (reason: string) => void;

  /** `at` tells the play head; `onBroken` is called once, when the buffer can take no more. */
  constructor(sink: Sink, at: () => number, onBroken: (reason: string) => void) {
    this.sink = sink;
    this.at = at;
    this.onBroken = onBroken;
    sink.addEventListener("updateend", this.run);
    sink.addEventListener("error", this.fail);
  }

  get ranges(): Range[] {
    try {
      return toRanges(this.sink.buffered);
    } catch {
      return [];
    }
  }

  /** Steps that wait. */
  get length(): number {
    return this.steps.length;
  }

  push(...steps: Step[]): void {
    if (this.ended) return;
    this.steps.push(...steps);
    this.run();
  }

  /** Resolves when everything pushed so far is done, or the queue is closed. */
  settled(): Promise<void> {
    if (this.ended || (this.steps.length === 0 && !this.sink.updating)) return Promise.resolve();
    return new Promise((done) => this.idle.push(done));
  }

  /** Forgets media that waits to be appended; other steps and init segments stay. */
  dropMedia(): void {
    this.steps = this.steps.filter((s) => s.do !== "append" || s.init === true);
  }

  /** Empties the line and the buffer, and starts the media's time line anew. */
  restart(offset_s = 0): void {
    if (this.ended) return;
    this.steps = [];
    try {
      this.sink.abort();
    } catch {
      // A removal is under way: it cannot be interrupted and need not be.
    }
    this.push(
      { do: "remove", start: 0, end: Number.POSITIVE_INFINITY },
      { do: "offset", seconds: offset_s },
    );
  }

  close(): void {
    this.ended = true;
    this.steps = [];
    this.sink.removeEventListener("updateend", this.run);
    this.sink.removeEventListener("error", this.fail);
    this.tellIdle();
  }

  private readonly run = (): void => {
    while (!this.ended && !this.sink.updating) {
      const step = this.next();
      if (!step) return this.tellIdle();
      try {
        this.perform(step);
        this.retried = false;
      } catch (e) {
        if (e instanceof DOMException && e.name === "QuotaExceededError") this.makeRoom(step);
        else return this.fail(e);
      }
    }
  };

  /** The first step; joined with those behind it if they are all media. */
  private next(): Step | undefined {
    const first = this.steps.shift();
    if (first?.do !== "append" || first.init) return first;
    const parts = [first.data];
    let bytes = first.data.byteLength;
    for (;;) {
      const more = this.steps[0];
      if (more?.do !== "append" || more.init || bytes + more.data.byteLength > JOIN_BYTES_MAX)
        break;
      this.steps.shift();
      parts.push(more.data);
      bytes += more.data.byteLength;
    }
    return parts.length === 1 ? first : { do: "append", data: join(parts, bytes) };
  }

  private perform(step: Step): void {
    switch (step.do) {
      case "append":
        return this.sink.appendBuffer(step.data);
      case "offset":
        if (this.sink.timestampOffset !== step.seconds) this.sink.timestampOffset = step.seconds;
        return;
      case "remove":
        if (step.end > step.start) this.sink.remove(step.start, step.end);
        return;
      case "type":
        return this.sink.changeType(step.mime);
    }
  }

  /** Memory is full: the past goes, once; if that does not help, this piece of media goes. */
  private makeRoom(step: Step): void {
    const first = this.ranges[0];
    const end = this.at() - KEEP_WHEN_FULL_S;
    if (this.retried || !first || end <= first.start) {
      this.retried = false;
      return;
    }
    this.retried = true;
    this.steps.unshift(step);
    this.sink.remove(0, end);
  }

  private readonly fail = (e?: unknown): void => {
    if (this.ended) return;
    this.close();
    this.onBroken(e instanceof Error ? e.message : "the browser refused the media");
  };

  private tellIdle(): void {
    const waiting = this.idle;
    this.idle = [];
    for (const done of waiting) done();
  }
}

function join(parts: ArrayBuffer[], bytes: number): ArrayBuffer {
  const out = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    out.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return out.buffer;
}
