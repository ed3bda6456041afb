import { describe, expect, it } from "vitest";
import { BufferQueue, type Sink } from "./queue";

/** A SourceBuffer that notes what it is told and finishes when the test says so. */
class Fake implements Sink {
  updating = false;
  timestampOffset = 0;
  log: string[] = [];
  full = 0;
  held: [number, number][] = [[0, 100]];
  private readonly heard = new Map<string, () => void>();

  get buffered(): TimeRanges {
    return {
      length: this.held.length,
      start: (i: number) => this.held[i]?.[0] ?? 0,
      end: (i: number) => this.held[i]?.[1] ?? 0,
    };
  }
  appendBuffer(data: ArrayBuffer): void {
    if (this.full > 0) {
      this.full -= 1;
      throw new DOMException("full", "QuotaExceededError");
    }
    this.log.push(`append ${data.byteLength}`);
    this.updating = true;
  }
  remove(start: number, end: number): void {
    this.log.push(`remove ${start} ${end}`);
    this.updating = true;
  }
  changeType(mime: string): void {
    this.log.push(`type ${mime}`);
  }
  abort(): void {
    this.updating = false;
    this.log.push("abort");
  }
  addEventListener(name: string, listener: () => void): void {
    this.heard.set(name, listener);
  }
  removeEventListener(name: string): void {
    this.heard.delete(name);
  }
  finish(): void {
    this.updating = false;
    this.heard.get("updateend")?.();
  }
  error(): void {
    this.heard.get("error")?.();
  }
}

const media = (n: number) => ({ do: "append", data: new ArrayBuffer(n) }) as const;
const setup = (at = 50) => {
  const sink = new Fake();
  const broken: string[] = [];
  return {
    sink,
    broken,
    queue: new BufferQueue(
      sink,
      () => at,
      (why) => broken.push(why),
    ),
  };
};

describe("BufferQueue", () => {
  it("does one thing at a time and joins media that waited", () => {
    const { sink, queue } = setup();
    queue.push(media(1), media(2), media(3));
    queue.push({ do: "append", data: new ArrayBuffer(7), init: true }, media(4));
    expect(sink.log).toEqual(["append 6"]);
    sink.finish();
    sink.finish();
    sink.finish();
    expect(sink.log).toEqual(["append 6", "append 7", "append 4"]);
    expect(queue.length).toBe(0);
  });

  it("keeps order across offset, type and remove", () => {
    const { sink, queue } = setup();
    queue.push({ do: "type", mime: "x" }, { do: "offset", seconds: 9 }, media(1));
    expect(sink.timestampOffset).toBe(9);
    expect(sink.log).toEqual(["type x", "append 1"]);
  });

  it("makes room once when memory is full, then goes on without that piece", () => {
    const { sink, queue, broken } = setup();
    sink.full = 1;
    queue.push(media(1));
    expect(sink.log).toEqual(["remove 0 45"]);
    sink.finish();
    expect(sink.log).toEqual(["remove 0 45", "append 1"]);
    sink.finish();
    sink.full = 2;
    queue.push(media(2));
    sink.finish();
    queue.push(media(3));
    expect(sink.log.slice(2)).toEqual(["remove 0 45", "append 3"]);
    expect(broken).toEqual([]);
  });

  it("starts anew", () => {
    const { sink, queue } = setup();
    queue.push(media(1));
    queue.push(media(2));
    queue.restart(5);
    sink.finish();
    expect(sink.log).toEqual(["append 1", "abort", "remove 0 Infinity"]);
    expect(sink.timestampOffset).toBe(5);
  });

  it("drops media that waits but not what it needs to be understood", () => {
    const { sink, queue } = setup();
    queue.push(media(1));
    queue.push(media(2), { do: "append", data: new ArrayBuffer(7), init: true }, media(3));
    queue.dropMedia();
    sink.finish();
    sink.finish();
    expect(sink.log).toEqual(["append 1", "append 7"]);
  });

  it("says once when it is broken, and lets nobody wait for ever", async () => {
    const { sink, queue, broken } = setup();
    queue.push(media(1));
    const waiting = queue.settled();
    sink.error();
    sink.error();
    queue.push(media(1));
    await waiting;
    await queue.settled();
    expect(broken).toHaveLength(1);
  });
});
