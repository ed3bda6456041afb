import { expect, it } from "vitest";
import { gridOf, layout, step } from "./layout";

it.each([
  [1, 1200, 700, 1],
  [2, 1200, 700, 1],
  [2, 1600, 500, 2],
  [4, 1200, 700, 2],
  [4, 360, 640, 1],
  [9, 1200, 700, 3],
  [16, 1200, 700, 4],
  [3, 1200, 700, 2],
])("%i tiles in %i×%i: %i columns", (count, width, height, columns) => {
  const found = layout(count, width, height, 4);
  expect(found.columns).toBe(columns);
  const rows = Math.ceil(count / columns);
  expect(found.width * columns + 4 * (columns - 1)).toBeLessThanOrEqual(width);
  expect(found.height * rows + 4 * (rows - 1)).toBeLessThanOrEqual(height);
});

it("survives a box without room", () => {
  expect(layout(4, 0, 0, 4).width).toBe(0);
});

it("takes the asked grid or the smallest that fits", () => {
  expect(gridOf("9", 2)).toBe(9);
  expect(gridOf("7", 2)).toBe(4);
  expect(gridOf(null, 1)).toBe(1);
  expect(gridOf(null, 5)).toBe(9);
  expect(gridOf(null, 64)).toBe(16);
});

it("moves with the arrows and stays inside", () => {
  expect(step("ArrowRight", 0, 4, 2)).toBe(1);
  expect(step("ArrowDown", 1, 4, 2)).toBe(3);
  expect(step("ArrowDown", 2, 4, 2)).toBe(2);
  expect(step("ArrowLeft", 0, 4, 2)).toBe(0);
  expect(step("End", 1, 4, 2)).toBe(3);
  expect(step("Home", 3, 4, 2)).toBe(0);
  expect(step("a", 0, 4, 2)).toBeUndefined();
});
