import { afterEach, expect, it, vi } from "vitest";
import type { Fragment } from "../api/types";
import { Feed, FeedError } from "./feed";

afterEach(() => vi.unstubAllGlobals());

const START = 1_795_428_000_000_000;
const all: Fragment[] = Array.from({ length: 100 }, (_, i) => ({
  segment: `00000001-${Math.floor(i / 30)}`,
  offset: 100 + (i % 30) * 10,
  size: 10,
  start_us: START + i * 2_000_000,
  end_us: START + (i + 1) * 2_000_000,
  random_access: i % 2 === 0,
  init: "a",
  decode_time_s: i * 2,
}));

/** A server with the fragments above; `refuse` may answer first. */
function serve(refuse: (path: string) => number | undefined = () => undefined): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    const status = refuse(path);
    if (status !== undefined) return new Response("{}", { status });
    const url = new URL(path, "http://x");
    if (url.pathname.endsWith("/fragments")) {
      const [from, to, limit] = ["from", "to", "limit"].map((n) => Number(url.searchParams.get(n)));
      const hits = all
        .filter((f) => f.end_us > (from ?? 0) && f.start_us < (to ?? 0))
        .slice(0, limit);
      return Response.json({ fragments: hits, next_us: null });
    }
    if (url.pathname.endsWith("/init")) {
      return new Response("init", {
        headers: { "x-khien-mime": 'video/mp4; codecs="avc1.42E01E"' },
      });
    }
    return new Response(new Uint8Array(Number(url.searchParams.get("size"))));
  });
  return asked;
}

const feed = () => new Feed("cam", new AbortController().signal);

it("reads from the key frame before a moment to the end, every fragment once", async () => {
  serve();
  const f = feed();
  const first = await f.open(START + 7_000_000);
  expect(first?.start_us).toBe(START + 4_000_000);
  const got: number[] = [];
  for (let small = true; ; small = false) {
    const next = await f.next(small);
    if (!next) break;
    expect(next.bytes.byteLength).toBe(next.batch.size);
    got.push(...next.batch.fragments.map((x) => x.start_us));
  }
  expect(got).toEqual(all.slice(2).map((x) => x.start_us));
});

it("asks for an init segment once", async () => {
  const asked = serve();
  const f = feed();
  await f.open(START);
  const next = await f.next(true);
  if (!next) throw new Error("nothing");
  expect((await f.init(next.batch)).mime).toContain("avc1");
  await f.init(next.batch);
  expect(asked.filter((p) => p.includes("/init"))).toHaveLength(1);
});

it("goes on after a segment that was deleted meanwhile", async () => {
  serve((path) => (path.includes("00000001-0/media") ? 404 : undefined));
  const f = feed();
  await f.open(START);
  const next = await f.next(false);
  expect(next?.batch.segment).toBe("00000001-1");
});

it("has nothing where nothing is, and says why where it may not", async () => {
  serve();
  expect(await feed().open(START + 1e12)).toBeUndefined();
  serve(() => 403);
  await expect(feed().open(START)).rejects.toBeInstanceOf(FeedError);
});

it("asks again after a failure that passes", async () => {
  vi.useFakeTimers();
  let times = 0;
  serve(() => {
    times += 1;
    return times < 3 ? 503 : undefined;
  });
  const opened = feed().open(START);
  await vi.runAllTimersAsync();
  expect((await opened)?.start_us).toBe(START);
  vi.useRealTimers();
});
