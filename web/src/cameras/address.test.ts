import { describe, expect, it } from "vitest";
import type { Camera } from "../api/types";
import * as address from "./address";

const camera: Camera = {
  id: "1",
  name: "Gate",
  url: "rtsp://10.0.0.5/main",
  enabled: true,
  state: "recording",
  since: null,
  detail: null,
  tracks: [],
  quirks: [],
  bytes_per_s: 0,
  recorded_from: null,
  gap: null,
  transport: "tcp",
  user: "admin",
  has_password: true,
  position: 0,
  retention: { max_days: 14, max_bytes: null },
  certificate: "a".repeat(64),
  created: "2026-11-01T00:00:00Z",
};

it.each([
  ["192.168.1.20/stream", "rtsp://192.168.1.20/stream"],
  [" rtsps://cam.lan ", "rtsps://cam.lan"],
  ["http://x", "http://x"],
  ["", ""],
])("completes %s", (typed, url) => expect(address.fullAddress(typed)).toBe(url));

it("asks only for what was typed", () => {
  const typed = { ...address.NOTHING, url: "h/s" };
  expect(address.probeRequest(typed, undefined)).toEqual({ url: "rtsp://h/s", transport: "tcp" });
  expect(address.probeRequest({ ...typed, user: " u ", password: " p " }, "ff")).toEqual({
    url: "rtsp://h/s",
    transport: "tcp",
    user: "u",
    password: " p ",
    accept_certificate: "ff",
  });
});

describe("change", () => {
  const edited = address.editedOf(camera);
  it("is empty when nothing changed", () => expect(address.changeOf(camera, edited)).toEqual({}));
  it("has what differs", () => {
    const next = { ...edited, name: " Yard ", enabled: false, password: "x" };
    expect(address.changeOf(camera, next)).toEqual({ name: "Yard", enabled: false, password: "x" });
  });
  it("keeps limits apart", () => {
    expect(address.changeOf(camera, { ...edited, days: "", gigabytes: "1,5" })).toEqual({
      retention: { max_days: null, max_bytes: 1_500_000_000 },
    });
    expect(address.changeOf(camera, { ...edited, days: "" })).toEqual({ retention: null });
    expect(address.changeOf(camera, { ...edited, days: "-3" })).toBeUndefined();
    expect(address.changeOf(camera, { ...edited, gigabytes: "lots" })).toBeUndefined();
  });
});

it("finds the new certificate, never the one that is trusted", () => {
  const b = "b".repeat(64);
  const detail = (message: string, code = "camera-certificate") => ({
    ...camera,
    detail: { code, message },
  });
  expect(address.shownFingerprint(camera)).toBeUndefined();
  expect(address.shownFingerprint(detail(`it was ${"a".repeat(64)}, is ${b} now`))).toBe(b);
  expect(address.shownFingerprint(detail("it changed"))).toBeUndefined();
  expect(address.shownFingerprint(detail(b, "camera-auth"))).toBeUndefined();
});
