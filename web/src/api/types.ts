// What the server says and hears: one type per JSON body of /api/v1.
import type { Us } from "../lib/time";

export type Role = "owner" | "viewer";
export type Language = "en" | "vi";

export interface Me {
  name: string;
  role: Role;
  language: string;
}

export interface User {
  name: string;
  role: Role;
  language: string;
  created: string;
}

export interface Detail {
  code: string;
  message: string;
}

export interface Status {
  version: string;
  now: string;
  now_us: Us;
  /** Ids of the cameras that are being recorded. */
  recording: string[];
  storage: { bytes_used: number; bytes_free: number; bytes_total: number };
  warnings: Detail[];
}

export type CameraState = "recording" | "live" | "connecting" | "offline" | "refused" | "disabled";

export interface Track {
  id: number;
  kind: "video" | "audio" | "metadata";
  codec: string;
  codec_string?: string | null;
  width?: number | null;
  height?: number | null;
  fps?: number | null;
  sample_rate?: number | null;
  channels?: number | null;
}

export interface Quirk {
  id: string;
  count: number;
  level: string;
}

export type Transport = "tcp" | "udp";

export interface Retention {
  max_days: number | null;
  max_bytes: number | null;
}

export interface Camera {
  id: string;
  name: string;
  url: string;
  enabled: boolean;
  state: CameraState;
  since: string | null;
  detail: Detail | null;
  tracks: Track[];
  quirks: Quirk[];
  bytes_per_s: number;
  recorded_from: string | null;
  gap: { from: string; cause: string } | null;
  transport: Transport;
  /** The user at the camera; only owners are told. */
  user: string | null;
  has_password: boolean;
  position: number;
  /** Limits of its own; null for the system's. */
  retention: Retention | null;
  /** SHA-256 of the certificate that it must show. */
  certificate: string | null;
  created: string;
}

export interface Certificate {
  sha256: string;
  subject: string;
  not_after: string;
  /** It is the one that the request said to accept. */
  pinned: boolean;
}

export interface ProbeRequest {
  url: string;
  user?: string;
  password?: string;
  transport?: Transport;
  accept_certificate?: string;
}

export interface Probe {
  tracks: Track[];
  server: string | null;
  quirks: Quirk[];
  preview: string | null;
  certificate: Certificate | null;
}

export interface NewCamera extends ProbeRequest {
  name: string;
}

export interface CameraChange {
  name?: string;
  url?: string;
  user?: string;
  password?: string;
  transport?: Transport;
  enabled?: boolean;
  retention?: Retention | null;
}

export interface TimelineSpan {
  from_us: Us;
  to_us: Us;
}

export interface TimelineGap {
  from_us: Us;
  to_us: Us | null;
  cause: string;
}

export interface Timeline {
  from_us: Us;
  to_us: Us;
  spans: TimelineSpan[];
  gaps: TimelineGap[];
}

export interface Fragment {
  segment: string;
  offset: number;
  size: number;
  start_us: Us;
  end_us: Us;
  random_access: boolean;
  init: string;
  decode_time_s: number;
}

export interface FragmentPage {
  fragments: Fragment[];
  next_us: Us | null;
}

/** RFC 9457 problem. */
export interface Problem {
  status: number;
  code: string;
  detail: string;
  title?: string;
}
