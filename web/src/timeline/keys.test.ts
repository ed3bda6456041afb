import { expect, it } from "vitest";
import { press } from "./keys";

const log: string[] = [];
const acts = {
  play: () => log.push("play"),
  move: (by: number) => log.push(`move ${by / 1e6}`),
  step: (s: number) => log.push(`step ${s}`),
  zoom: (f: number) => log.push(`zoom ${f}`),
  full: () => log.push("full"),
  cut: () => log.push("cut"),
  mark: (end: string) => log.push(`mark ${end}`),
  camera: (n: number) => log.push(`camera ${n}`),
};

it.each([
  [" ", false, "play"],
  ["k", false, "play"],
  ["ArrowLeft", false, "move -10"],
  ["ArrowRight", true, "move 60"],
  [".", false, "step 0.04"],
  ["+", false, "zoom 0.5"],
  ["0", false, "zoom 0"],
  ["o", false, "mark out"],
  ["3", false, "camera 2"],
])("%s", (key, shiftKey, expected) => {
  log.length = 0;
  expect(press({ key, shiftKey, target: null }, acts)).toBe(true);
  expect(log).toEqual([expected]);
});

it("leaves other keys alone", () => {
  log.length = 0;
  for (const key of ["a", "Tab", "Enter", "F5"]) {
    expect(press({ key, shiftKey: false, target: null }, acts)).toBe(false);
  }
  expect(log).toEqual([]);
});
