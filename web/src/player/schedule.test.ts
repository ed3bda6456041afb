import { describe, expect, it } from "vitest";
import type { Fragment } from "../api/types";
import { firstBatch, newer, placeOffset, startingAt, wantAhead } from "./schedule";

const fragment = (n: number, change: Partial<Fragment> = {}): Fragment => ({
  segment: "00000001-1",
  offset: 1000 + n * 500,
  size: 500,
  start_us: n * 2_000_000,
  end_us: (n + 1) * 2_000_000,
  random_access: true,
  init: "a",
  decode_time_s: n * 2,
  ...change,
});
const many = (n: number) => Array.from({ length: n }, (_, i) => fragment(i));

describe("batches", () => {
  it("fetches the first picture alone", () => {
    expect(firstBatch(many(5), true)).toMatchObject({ offset: 1000, size: 500 });
  });
  it("joins neighbours up to ten seconds", () => {
    expect(firstBatch(many(9), false)).toMatchObject({ offset: 1000, size: 2500 });
  });
  it.each([
    ["another segment", { segment: "00000001-2" }],
    ["another init", { init: "b" }],
    ["not next to it", { offset: 9000 }],
    ["too large", { size: 4_000_000 }],
    ["where the wall clock moved", { start_us: 2_500_000, end_us: 4_500_000 }],
  ])("does not join %s", (_, change) => {
    expect(firstBatch([fragment(0), fragment(1, change)], false)?.fragments).toHaveLength(1);
  });
  it("has nothing for nothing", () => {
    expect(firstBatch([], false)).toBeUndefined();
  });
});

describe("place", () => {
  const base = 0;
  it("follows the wall clock", () => {
    expect(placeOffset(fragment(3), base, undefined)).toEqual({ init: "a", offset_s: 0 });
    const late = fragment(3, { start_us: 16_000_000 });
    expect(placeOffset(late, base, { init: "a", offset_s: 0 }).offset_s).toBe(10);
  });
  it("does not follow its jitter", () => {
    const shaky = fragment(3, { start_us: 6_040_000 });
    expect(placeOffset(shaky, base, { init: "a", offset_s: 0 }).offset_s).toBe(0);
    expect(placeOffset(shaky, base, { init: "b", offset_s: 0 }).offset_s).toBeCloseTo(0.04);
  });
});

describe("start", () => {
  it("begins with the last key frame at or before the moment", () => {
    expect(startingAt(many(5), 5_000_000)?.[0]?.start_us).toBe(4_000_000);
    expect(startingAt(many(5), 4_000_000)?.[0]?.start_us).toBe(4_000_000);
  });
  it("begins later where the moment is in a gap", () => {
    expect(startingAt(many(5).slice(3), 1_000_000)?.[0]?.start_us).toBe(6_000_000);
  });
  it("asks for more where the key frame is missing", () => {
    const tail = fragment(1, { random_access: false });
    expect(startingAt([tail, fragment(2)], 3_000_000)).toBeUndefined();
    expect(startingAt([fragment(0), tail, fragment(2)], 3_000_000)?.[0]?.start_us).toBe(0);
  });
  it("has nothing where nothing is recorded", () => {
    expect(startingAt([], 1)).toEqual([]);
  });
});

it("takes only what it does not have", () => {
  const last = fragment(1, { end_us: 4_000_100 });
  const next = fragment(0, { segment: "00000001-2", start_us: 8_000_000 });
  const old = fragment(9, { segment: "00000001-0", start_us: 0 });
  const found = newer([old, ...many(4), next], last);
  expect(found.map((f) => f.start_us)).toEqual([4_000_000, 6_000_000, 8_000_000]);
});

it("loads more for fast play, within limits", () => {
  expect([0.5, 1, 2, 16].map(wantAhead)).toEqual([15, 15, 30, 60]);
});
