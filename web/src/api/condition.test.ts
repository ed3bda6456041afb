import { expect, it } from "vitest";
import { en } from "../lib/words/en";
import { conditionOf } from "./condition";
import type { Camera, CameraState } from "./types";

const NOW = Date.parse("2026-11-23T10:10:00Z") * 1000;
const camera = (state: CameraState, gap: Camera["gap"] = null): Camera => ({
  id: "1",
  name: "Gate",
  url: "rtsp://h/",
  enabled: true,
  state,
  since: null,
  detail: null,
  tracks: [],
  quirks: [],
  bytes_per_s: 0,
  recorded_from: null,
  gap,
  transport: "tcp",
  user: null,
  has_password: false,
  position: 0,
  retention: null,
  certificate: null,
  created: "2026-11-01T00:00:00Z",
});
const gap = { from: "2026-11-23T10:08:00Z", cause: "camera_address" };

it.each([
  ["recording", null, "dot", false],
  ["recording", gap, "triangle", true],
  ["recording", { ...gap, from: "2026-11-23T10:09:59Z" }, "dot", false],
  ["live", null, "ring", false],
  ["live", gap, "broken", true],
  ["connecting", null, "dashes", false],
  ["offline", gap, "broken", true],
  ["refused", null, "lock", true],
  ["disabled", null, "off", false],
] as const)("%s with %o", (state, hole, shape, losing) => {
  const found = conditionOf(camera(state, hole), en, "en", NOW);
  expect([found.shape, found.losing]).toEqual([shape, losing]);
});

it("says how long and why", () => {
  const { text } = conditionOf(camera("offline", gap), en, "en", NOW);
  expect(text.replaceAll("\u00a0", " ")).toBe(
    "Not recording for 2 min 00 s: the camera does not answer",
  );
});
