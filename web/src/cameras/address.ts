// What is typed about a camera, and what it becomes in a request.
import type { Camera, CameraChange, ProbeRequest, Problem, Transport } from "../api/types";

export interface Typed {
  url: string;
  user: string;
  password: string;
  transport: Transport;
}

export const NOTHING: Typed = { url: "", user: "", password: "", transport: "tcp" };

/** A host alone is an address too: most people begin with it. */
export function fullAddress(text: string): string {
  const url = text.trim();
  return url === "" || url.includes("://") ? url : `rtsp://${url}`;
}

export function probeRequest(typed: Typed, accept: string | undefined): ProbeRequest {
  return {
    url: fullAddress(typed.url),
    ...(typed.user.trim() === "" ? {} : { user: typed.user.trim() }),
    ...(typed.password === "" ? {} : { password: typed.password }),
    transport: typed.transport,
    ...(accept === undefined ? {} : { accept_certificate: accept }),
  };
}

export type Part = "url" | "access" | undefined;

/** The field that a problem is about. */
export function partOf(problem: Problem | undefined): Part {
  switch (problem?.code) {
    case "camera-url":
    case "camera-host":
    case "camera-port":
    case "camera-path":
    case "camera-tls":
      return "url";
    case "camera-auth":
    case "password-needed":
      return "access";
    default:
      return undefined;
  }
}

export interface Edited extends Typed {
  name: string;
  enabled: boolean;
  days: string;
  gigabytes: string;
}

export function editedOf(camera: Camera): Edited {
  const { retention } = camera;
  return {
    name: camera.name,
    url: camera.url,
    user: camera.user ?? "",
    password: "",
    transport: camera.transport,
    enabled: camera.enabled,
    days: retention?.max_days ? String(retention.max_days) : "",
    gigabytes: retention?.max_bytes ? String(retention.max_bytes / 1e9) : "",
  };
}

/** A positive number as typed; undefined for nothing; `wrong` for anything else. */
function positive(text: string): number | undefined | "wrong" {
  if (text.trim() === "") return undefined;
  const n = Number(text.trim().replace(",", "."));
  return Number.isFinite(n) && n > 0 ? n : "wrong";
}

/** Only what differs; undefined if a number is none. */
export function changeOf(camera: Camera, edited: Edited): CameraChange | undefined {
  const change: CameraChange = {};
  const before = editedOf(camera);
  if (edited.name.trim() !== before.name) change.name = edited.name.trim();
  if (fullAddress(edited.url) !== before.url) change.url = fullAddress(edited.url);
  if (edited.user.trim() !== before.user) change.user = edited.user.trim();
  if (edited.password !== "") change.password = edited.password;
  if (edited.transport !== before.transport) change.transport = edited.transport;
  if (edited.enabled !== before.enabled) change.enabled = edited.enabled;
  if (edited.days !== before.days || edited.gigabytes !== before.gigabytes) {
    const days = positive(edited.days);
    const gigabytes = positive(edited.gigabytes);
    if (days === "wrong" || gigabytes === "wrong") return undefined;
    change.retention =
      days === undefined && gigabytes === undefined
        ? null
        : {
            max_days: days === undefined ? null : Math.max(1, Math.round(days)),
            max_bytes: gigabytes === undefined ? null : Math.round(gigabytes * 1e9),
          };
  }
  return change;
}

/** The fingerprint of the certificate that a camera shows now, from the words of its refusal. */
export function shownFingerprint(camera: Camera): string | undefined {
  if (camera.detail?.code !== "camera-certificate") return undefined;
  const found = camera.detail.message.toLowerCase().match(/\b[0-9a-f]{64}\b/g) ?? [];
  return found.find((sha256) => sha256 !== camera.certificate);
}
