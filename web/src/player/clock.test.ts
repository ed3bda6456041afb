import { expect, it } from "vitest";
import { WallClock } from "./clock";

it("maps between and beyond its anchors", () => {
  const clock = new WallClock();
  expect(clock.wall(1)).toBeUndefined();
  clock.add({ media_s: 10, wall_us: 1_000_000_000 });
  clock.add({ media_s: 20, wall_us: 5_000_000_000 });
  expect(clock.wall(9)).toBe(999_000_000);
  expect(clock.wall(12.5)).toBe(1_002_500_000);
  expect(clock.wall(20)).toBe(5_000_000_000);
  expect(clock.wall(21)).toBe(5_001_000_000);
  expect(clock.media(999_000_000)).toBeCloseTo(9);
  expect(clock.media(1_002_500_000)).toBeCloseTo(12.5);
  expect(clock.media(5_001_000_000)).toBeCloseTo(21);
  expect(new WallClock().media(5)).toBeUndefined();
});

it("takes anchors in any order, the newest for the same place, and forgets the oldest", () => {
  const clock = new WallClock(3);
  clock.add({ media_s: 4, wall_us: 400 });
  clock.add({ media_s: 2, wall_us: 200 });
  clock.add({ media_s: 2, wall_us: 201 });
  expect(clock.wall(2)).toBe(201);
  clock.add({ media_s: 6, wall_us: 600 });
  clock.add({ media_s: 8, wall_us: 800 });
  expect(clock.wall(8)).toBe(800);
  expect(clock.wall(4)).toBe(400);
  clock.clear();
  expect(clock.wall(4)).toBeUndefined();
});
