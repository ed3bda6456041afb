// The server's endpoints by name. Pages call these, never paths.

import type { Us } from "../lib/time";
import { BASE, binary, json, plain } from "./client";
import { family, Resource } from "./resource";
import type {
  Camera,
  CameraChange,
  FragmentPage,
  Language,
  Me,
  NewCamera,
  Probe,
  ProbeRequest,
  Role,
  Status,
  Timeline,
  User,
} from "./types";

const part = encodeURIComponent;
const ofCamera = (id: string, rest = ""): string => `/cameras/${part(id)}${rest}`;

export const cameras = new Resource<Camera[]>((signal) => json("/cameras", { signal }), 3000);
export const status = new Resource<Status>((signal) => json("/status", { signal }), 10_000);
export const users = new Resource<User[]>((signal) => json("/users", { signal }));

/** A camera's recordings of a span, named `<camera> <from µs> <to µs>`. */
const timelines = family((name) => {
  const [id = "", from = "", to = ""] = name.split(" ");
  return new Resource<Timeline>(
    (signal) => json(ofCamera(id, `/timeline?from=${from}&to=${to}`), { signal }),
    5000,
  );
});
export const timeline = (id: string, from: Us, to: Us) => timelines(`${id} ${from} ${to}`);

/** A camera's recordings of a span, asked for once. */
export const timelineOnce = (id: string, from: Us, to: Us, signal: AbortSignal) =>
  json<Timeline>(ofCamera(id, `/timeline?from=${from}&to=${to}`), { signal });

export const me = () => json<Me>("/me", { mayRefuse: true });
export const setupNeeded = () => json<{ needed: boolean }>("/setup");
export const setup = (body: {
  token: string;
  name: string;
  password: string;
  language: Language;
}) => plain("/setup", { method: "POST", body, mayRefuse: true });
export const login = (name: string, password: string) =>
  plain("/login", { method: "POST", body: { name, password }, mayRefuse: true });
export const logout = () => plain("/logout", { method: "POST", mayRefuse: true });
export const setLanguage = (language: Language) =>
  plain("/me", { method: "PATCH", body: { language } });
export const changePassword = (old: string, fresh: string) =>
  plain("/me/password", { method: "POST", body: { old, new: fresh }, mayRefuse: true });

export const probe = (body: ProbeRequest, signal?: AbortSignal) =>
  json<Probe>("/cameras/probe", { method: "POST", body, signal });
export const addCamera = (body: NewCamera) => json<Camera>("/cameras", { method: "POST", body });
export const changeCamera = (id: string, body: CameraChange) =>
  plain(ofCamera(id), { method: "PATCH", body });
export const removeCamera = (id: string) => plain(ofCamera(id), { method: "DELETE" });
export const acceptCertificate = (id: string, sha256: string) =>
  plain(ofCamera(id, "/certificate/accept"), { method: "POST", body: { sha256 } });

export const addUser = (body: { name: string; password: string; role: Role; language: Language }) =>
  plain("/users", { method: "POST", body });
export const setUserPassword = (name: string, password: string) =>
  plain(`/users/${part(name)}/password`, { method: "POST", body: { password } });
export const removeUser = (name: string) => plain(`/users/${part(name)}`, { method: "DELETE" });

export const fragments = (id: string, from: Us, to: Us, limit: number, signal: AbortSignal) =>
  json<FragmentPage>(ofCamera(id, `/fragments?from=${from}&to=${to}&limit=${limit}`), { signal });
export const initSegment = (id: string, segment: string, signal: AbortSignal) =>
  binary(ofCamera(id, `/segments/${part(segment)}/init`), { signal });
/** Fragments that lie one behind the other in a segment, with only what `initSegment` describes. */
export const segmentMedia = (
  id: string,
  segment: string,
  offset: number,
  size: number,
  signal: AbortSignal,
) =>
  binary(ofCamera(id, `/segments/${part(segment)}/media?offset=${offset}&size=${size}`), {
    signal,
  });

export const snapshotUrl = (id: string, stamp: number) =>
  `${BASE}${ofCamera(id, `/snapshot.jpg?n=${stamp}`)}`;
export const exportUrl = (id: string, from: Us, to: Us) =>
  `${BASE}${ofCamera(id, `/export.mp4?from=${Math.round(from)}&to=${Math.round(to)}`)}`;
export const caUrl = `${BASE}/ca.pem`;
export function liveUrl(id: string): string {
  const scheme = window.location.protocol === "http:" ? "ws:" : "wss:";
  return `${scheme}//${window.location.host}${BASE}${ofCamera(id, "/live")}`;
}
