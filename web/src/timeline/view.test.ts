import { describe, expect, it } from "vitest";
import type { Timeline } from "../api/types";
import { clock, daySpan, HOUR, MINUTE, SECOND } from "../lib/time";
import * as view from "./view";

const span = daySpan("2026-11-23");
if (!span) throw new Error("no day");
const day = span;
const at = (hours: number) => day.from + hours * HOUR;
const NOW = at(15);
const line: Timeline = {
  from_us: day.from,
  to_us: day.to,
  spans: [
    { from_us: at(6), to_us: at(9) },
    { from_us: at(9) + 2 * SECOND, to_us: at(14) },
  ],
  gaps: [
    { from_us: at(9), to_us: at(9) + 2 * SECOND, cause: "camera_silent" },
    { from_us: at(14), to_us: null, cause: "camera_address" },
  ],
  expired: [{ from_us: at(3), to_us: at(6) }],
};
const nothing: Timeline = { ...line, spans: [], gaps: [], expired: [] };

describe("window", () => {
  it("zooms about a point and stays in the day", () => {
    const near = view.zoom(day, day, at(12), 0.5);
    expect([near.from, near.to]).toEqual([at(6), at(18)]);
    const left = view.zoom(day, day, at(0), 0.25);
    expect([left.from, left.to]).toEqual([at(0), at(6)]);
    expect(view.zoom(near, day, at(12), 100)).toEqual(day);
    const closest = view.zoom(day, day, at(12), 0);
    expect(closest.to - closest.from).toBe(view.CLOSEST);
  });
  it("pans to the edges and no further", () => {
    const near = { from: at(6), to: at(8) };
    expect(view.pan(near, day, HOUR)).toEqual({ from: at(7), to: at(9) });
    expect(view.pan(near, day, -99 * HOUR)).toEqual({ from: at(0), to: at(2) });
    expect(view.pan(near, day, 99 * HOUR)).toEqual({ from: at(22), to: at(24) });
  });
  it("follows the play head when it leaves", () => {
    const near = { from: at(6), to: at(7) };
    expect(view.follow(near, day, at(6.5))).toBe(near);
    const moved = view.follow(near, day, at(7.01));
    expect(moved.from).toBeLessThan(at(7.01));
    expect(moved.to - moved.from).toBe(HOUR);
  });
  it("begins with the day, or closer where little is recorded", () => {
    expect(view.firstView(line, day, NOW)).toEqual(day);
    expect(view.firstView(nothing, day, NOW)).toEqual(day);
    const short = { ...line, spans: [{ from_us: at(12), to_us: at(12) + MINUTE }] };
    const found = view.firstView(short, day, at(12) + MINUTE);
    expect(found.to - found.from).toBe(5 * MINUTE);
    expect(found.from).toBeLessThan(at(12));
  });
});

describe("bars", () => {
  it("shows a gap of two seconds in a whole day", () => {
    const found = view.runs(line, day, 1200, NOW);
    expect(found.map((r) => r.kind)).toEqual(["expired", "recorded", "gap", "gap"]);
    const gaps = view.runs({ ...line, spans: [], expired: [] }, day, 1200, NOW);
    expect(gaps.map((r) => r.width)).toEqual([3, 50]);
  });
  it("joins what cannot be told apart", () => {
    const spans = Array.from({ length: 5000 }, (_, i) => ({
      from_us: at(1) + i * 10 * SECOND,
      to_us: at(1) + i * 10 * SECOND + 9 * SECOND,
    }));
    expect(view.runs({ ...nothing, spans }, day, 1000, NOW)).toHaveLength(1);
  });
  it("leaves out what is not in the window", () => {
    expect(view.runs(line, { from: at(1), to: at(2) }, 1000, NOW)).toEqual([]);
  });
  it("maps pixels to instants and back", () => {
    expect(view.toUs(day, 2400, 100)).toBe(at(1));
    expect(view.toX(day, 2400, at(1))).toBe(100);
    expect(view.toUs(day, 2400, -5)).toBe(day.from);
    expect(view.toUs(day, 2400, 9999)).toBe(day.to);
  });
});

describe("facts", () => {
  it("says what there is", () => {
    expect(view.whatAt(line, at(7), NOW)).toEqual({ kind: "recorded" });
    expect(view.whatAt(line, at(9) + SECOND, NOW)).toEqual({ kind: "gap", cause: "camera_silent" });
    expect(view.whatAt(line, at(14.5), NOW)).toEqual({ kind: "gap", cause: "camera_address" });
    expect(view.whatAt(line, at(3), NOW)).toEqual({ kind: "expired" });
    expect(view.whatAt(line, at(6), NOW)).toEqual({ kind: "recorded" });
    expect(view.whatAt(line, at(20), NOW)).toEqual({ kind: "nothing" });
  });
  it("finds the closest picture", () => {
    expect(view.nearest(line, at(7))).toBe(at(7));
    expect(view.nearest(line, at(1))).toBe(at(6));
    expect(view.nearest(line, at(9) + SECOND)).toBe(at(9) + 2 * SECOND);
    expect(view.nearest(line, at(20))).toBe(at(14) - 10 * SECOND);
    expect(view.nearest(nothing, at(7))).toBeUndefined();
  });
  it("counts what is recorded", () => {
    expect(view.recordedIn(line, { from: at(8), to: at(10) })).toBe(2 * HOUR - 2 * SECOND);
    expect(view.recordedIn(line, { from: at(0), to: at(1) })).toBe(0);
  });
  it("lists spans and gaps in order", () => {
    const found = view.rows(line, NOW);
    expect(found.map((r) => r.kind)).toEqual(["expired", "recorded", "gap", "recorded", "gap"]);
    expect(found.at(-1)).toMatchObject({ lasts: true, to: NOW });
  });
});

it.each([
  [24 * HOUR, 1200, "00:00:00", "02:00:00"],
  [2 * HOUR, 1200, "00:00:00", "00:10:00"],
  [2 * MINUTE, 1200, "00:00:00", "00:00:10"],
  [24 * HOUR, 360, "00:00:00", "06:00:00"],
])("ticks of %i µs over %i pixels", (length, width, first, second) => {
  const found = view.ticks({ from: day.from, to: day.from + length }, width, 64);
  expect(found.at.slice(0, 2).map((us) => clock(us))).toEqual([first, second]);
});
