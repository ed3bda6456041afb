import { describe, expect, it } from "vitest";
import {
  ahead,
  type LiveView,
  liveRate,
  nextTarget,
  overHole,
  steerLive,
  TARGET_MIN,
  trim,
} from "./steer";

const view = (change: Partial<LiveView>): LiveView => ({
  at: 9.5,
  rate: 1,
  ranges: [{ start: 0, end: 10 }],
  stalled: 0,
  settled: true,
  target: 0.5,
  ...change,
});

describe("live", () => {
  it.each([
    ["nothing buffered", { ranges: [] }, { do: "keep" }],
    ["at the target", {}, { do: "keep" }],
    ["slightly late", { at: 9.3 }, { do: "rate", rate: 1.06 }],
    ["late", { at: 8 }, { do: "rate", rate: 1.1 }],
    ["too late", { at: 7 }, { do: "seek", to: 9.5 }],
    ["fresh and a second late", { at: 8.2, settled: false }, { do: "seek", to: 9.5 }],
    ["nearly dry", { at: 9.9 }, { do: "rate", rate: 0.97 }],
    ["stalled with data ahead", { at: 9, stalled: 0.6 }, { do: "seek", to: 9.5 }],
    ["stalled and dry", { at: 9.9, stalled: 0.6, rate: 0.97 }, { do: "keep" }],
    ["beyond the end", { at: 12 }, { do: "seek", to: 9.5 }],
    ["before a short range", { at: 3, ranges: [{ start: 9.8, end: 10 }] }, { do: "seek", to: 9.8 }],
    [
      "at the end of the range before a hole",
      {
        at: 4.95,
        ranges: [
          { start: 0, end: 5 },
          { start: 5.5, end: 6 },
        ],
      },
      { do: "seek", to: 5.5 },
    ],
    [
      "inside the range before a hole",
      {
        at: 4.7,
        ranges: [
          { start: 0, end: 5 },
          { start: 5.1, end: 5.3 },
        ],
      },
      { do: "keep" },
    ],
  ] as const)("%s", (_, change, expected) => {
    expect(steerLive(view(change))).toEqual(expected);
  });

  it("goes back to normal speed only at the target", () => {
    expect(liveRate(0.6, 0.5, 1.05)).toBeGreaterThan(1);
    expect(liveRate(0.6, 0.5, 1)).toBe(1);
    expect(liveRate(0.49, 0.5, 1.05)).toBe(1);
  });

  it("converges from two seconds and stays", () => {
    let gap = 2;
    let rate = 1;
    for (let t = 0; t < 60; t += 0.1) {
      rate = liveRate(gap, 0.5, rate);
      gap -= (rate - 1) * 0.1;
    }
    expect(gap).toBeGreaterThan(0.2);
    expect(gap).toBeLessThan(0.8);
  });

  it("learns from stalls and forgets them", () => {
    let target = TARGET_MIN;
    for (let i = 0; i < 20; i += 1) target = nextTarget(target, true, 0);
    expect(target).toBe(3);
    expect(nextTarget(target, false, 10)).toBe(3);
    for (let i = 0; i < 40; i += 1) target = nextTarget(target, false, 31);
    expect(target).toBe(TARGET_MIN);
  });
});

describe("buffer", () => {
  it("forgets the past in pieces, not sample by sample", () => {
    expect(trim([{ start: 0, end: 31 }], 25, 20)).toBeUndefined();
    expect(trim([{ start: 0, end: 40 }], 31, 20)).toEqual({ start: 0, end: 11 });
    expect(trim([], 100, 20)).toBeUndefined();
  });
  it("goes over a hole only when it stands at one", () => {
    const ranges = [
      { start: 0, end: 5 },
      { start: 9, end: 12 },
    ];
    expect(overHole(ranges, 3)).toBeUndefined();
    expect(overHole(ranges, 4.95)).toBeCloseTo(9.01);
    expect(overHole(ranges, 7)).toBeCloseTo(9.01);
    expect(overHole(ranges, 12)).toBeUndefined();
    expect(overHole([], 0)).toBeUndefined();
  });
  it("counts what can be played", () => {
    expect(
      ahead(
        [
          { start: 0, end: 5 },
          { start: 9, end: 12 },
        ],
        4,
      ),
    ).toBe(1);
    expect(ahead([{ start: 0, end: 5 }], 6)).toBe(0);
  });
});
