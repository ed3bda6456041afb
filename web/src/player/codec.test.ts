import { expect, it } from "vitest";
import { codecName, codecsOf, hasAudio, unplayable } from "./codec";

const chromium = (type: string) => !type.includes("hvc1") && !type.includes("ulaw");

it.each([
  ['video/mp4; codecs="avc1.640028,mp4a.40.2"', []],
  ['video/mp4; codecs="hvc1.1.6.L120.90"', ["H.265"]],
  ['video/mp4; codecs="hvc1.1.6.L120.90, mp4a.40.2"', ["H.265"]],
  ['video/mp4; codecs="avc1.640028,ulaw"', ["G.711"]],
])("%s", (mime, names) => {
  expect(unplayable(mime, chromium)).toEqual(names);
});

it("says something of a type that names no codec", () => {
  expect(unplayable("video/x", () => false)).toEqual(["video/x"]);
  expect(unplayable('video/mp4; codecs="avc1.42E01E"', () => false)).toEqual(["H.264"]);
});

it("reads codec strings", () => {
  expect(codecsOf('video/mp4; codecs="a, b"')).toEqual(["a", "b"]);
  expect(codecsOf("video/mp4; codecs=avc1.42E01E")).toEqual(["avc1.42E01E"]);
  expect(codecsOf("video/mp4")).toEqual([]);
  expect(codecName("HVC1.1")).toBe("H.265");
  expect(codecName("x-new")).toBe("x-new");
  expect(hasAudio('video/mp4; codecs="avc1.640028,mp4a.40.2"')).toBe(true);
  expect(hasAudio('video/mp4; codecs="avc1.640028"')).toBe(false);
});
