// The world of the mock server: cameras, people, what is recorded and what is missing.
import { FPS, Loop } from "./media.mjs";

const MINUTE_S = 60;
const DAY_S = 86_400;
/** The newest second that is recorded lies so far behind now. */
const BEHIND_S = 2;

const seconds = () => Math.floor(Date.now() / 1000);
const iso = (s) => new Date(s * 1000).toISOString().replace(".000Z", ".000000Z");

const video = (width, height, codec = "H.264", string = "avc1.640028") => ({
  id: 1,
  kind: "video",
  codec,
  codec_string: string,
  width,
  height,
  fps: 25,
  sample_rate: null,
  channels: null,
});
const audio = {
  id: 2,
  kind: "audio",
  codec: "AAC",
  codec_string: "mp4a.40.2",
  width: null,
  height: null,
  fps: null,
  sample_rate: 16_000,
  channels: 1,
};

const PINNED = "4f".repeat(32);
const SHOWN = "a81c09e3".repeat(8);

const camera = (id, name, more) => ({
  id,
  name,
  url: `rtsp://192.168.1.${20 + Number(id)}/stream1`,
  user: "viewer",
  has_password: true,
  transport: "tcp",
  enabled: true,
  position: Number(id),
  retention: null,
  certificate: null,
  created: iso(seconds() - 3 * DAY_S),
  state: "recording",
  since: iso(seconds() - 5 * 3600),
  detail: null,
  tracks: [video(1920, 1080)],
  quirks: [],
  bytes_per_s: 512_000,
  recorded_from: iso(seconds() - 3 * DAY_S),
  gap: null,
  ...more,
});

function cameras() {
  const now = seconds();
  return [
    camera("1", "Gate", {
      tracks: [video(1920, 1080), audio],
      quirks: [
        { id: "gop-long", count: 1, level: "warning" },
        { id: "sr-wrong", count: 3, level: "note" },
        { id: "url-control-join", count: 2, level: "counter" },
        { id: "sdp-space", count: 8, level: "counter" },
      ],
    }),
    camera("2", "Sân sau", { bytes_per_s: 287_000, retention: { max_days: 14, max_bytes: null } }),
    camera("3", "Shop", {
      state: "offline",
      since: iso(now - 840),
      detail: { code: "camera-host", message: "nothing answers at 192.168.1.23" },
      bytes_per_s: 0,
      gap: { from: iso(now - 840), cause: "camera_address" },
    }),
    camera("4", "Store room", {
      url: "rtsps://192.168.1.24/main",
      state: "refused",
      since: iso(now - 4000),
      certificate: PINNED,
      detail: {
        code: "camera-certificate",
        message: `the camera's certificate has changed; its SHA-256 is now ${SHOWN}`,
      },
      bytes_per_s: 0,
      gap: { from: iso(now - 4000), cause: "camera_auth" },
    }),
    camera("5", "Office", { state: "live", recorded_from: null, bytes_per_s: 96_000 }),
    camera("6", "Old shed", { enabled: false, state: "disabled", tracks: [], bytes_per_s: 0 }),
  ];
}

/** Holes of one day, seconds after its midnight. */
const HOLES = [
  [3 * 3600 + 120, 3 * 3600 + 150, "network_cut"],
  [9 * 3600 + 31 * 60, 9 * 3600 + 43 * 60, "camera_reboot"],
  [13 * 3600, 13 * 3600 + 2, "packet_loss"],
];

export class Scene {
  constructor(kind = "normal") {
    this.owned = kind !== "setup";
    this.users = [
      { name: "owner", role: "owner", language: "en", created: iso(seconds() - 9 * DAY_S) },
      { name: "Minh Anh", role: "viewer", language: "vi", created: iso(seconds() - DAY_S) },
    ];
    this.cameras = kind === "normal" ? cameras() : [];
    this.loops = new Map();
    this.next = 7;
  }

  loop(id) {
    const n = Math.max(0, Number(id) - 1) % 4;
    if (!this.loops.has(n)) this.loops.set(n, new Loop(n));
    return this.loops.get(n);
  }

  /** Holes of a camera, whole seconds since 1970. */
  holes(one, from, to) {
    const out = [];
    const begin = new Date(from * 1000);
    begin.setHours(0, 0, 0, 0);
    for (let day = begin.getTime() / 1000; day < to; day += DAY_S) {
      for (const [a, b, cause] of HOLES) out.push({ from: day + a, to: day + b, cause });
    }
    if (one.gap)
      out.push({ from: Date.parse(one.gap.from) / 1000, to: null, cause: one.gap.cause });
    const born = Date.parse(one.recorded_from) / 1000;
    return out.filter((g) => g.from > born && g.from < seconds() && g.from < to);
  }

  timeline(one, from_us, to_us) {
    const [from, to] = [from_us / 1e6, to_us / 1e6];
    const none = { from_us, to_us, spans: [], gaps: [], expired: [] };
    if (!one.recorded_from) return none;
    const born = Date.parse(one.recorded_from) / 1000;
    const end = Math.min(to, seconds() - BEHIND_S);
    const holes = this.holes(one, from, to).filter((g) => (g.to ?? to) > from);
    const spans = [];
    let at = Math.max(from, born);
    for (const hole of holes) {
      if (hole.from > at) spans.push([at, Math.min(hole.from, end)]);
      at = hole.to ?? Number.POSITIVE_INFINITY;
    }
    if (at < end) spans.push([at, end]);
    const us = (s) => Math.round(s * 1e6);
    return {
      from_us,
      to_us,
      spans: spans.filter(([a, b]) => b > a).map(([a, b]) => ({ from_us: us(a), to_us: us(b) })),
      gaps: holes.map((g) => ({
        from_us: us(g.from),
        to_us: g.to === null ? null : us(g.to),
        cause: g.cause,
      })),
      expired: [],
    };
  }

  /** Recorded pieces of a second each; a segment holds those of one minute. */
  fragments(one, from_us, to_us, limit) {
    const loop = this.loop(one.id);
    const fragments = [];
    const { spans } = this.timeline(one, from_us - 1e6, to_us);
    for (const span of spans) {
      for (let s = Math.ceil(span.from_us / 1e6); (s + 1) * 1e6 <= span.to_us; s += 1) {
        if ((s + 1) * 1e6 <= from_us) continue;
        if (fragments.length >= limit) return { fragments, next_us: s * 1e6 };
        fragments.push(this.fragment(loop, s));
      }
    }
    return { fragments, next_us: null };
  }

  fragment(loop, s) {
    const minute = Math.floor(s / MINUTE_S);
    let offset = 800;
    for (let t = minute * MINUTE_S; t < s; t += 1) offset += loop.secondSize(t * FPS);
    return {
      segment: `0000000a-${minute}`,
      offset,
      size: loop.secondSize(s * FPS),
      start_us: s * 1e6,
      end_us: (s + 1) * 1e6,
      random_access: Loop.isKey(s * FPS),
      init: "5b7d",
      decode_time_s: s - minute * MINUTE_S,
    };
  }

  /** The seconds of a segment that lie wholly in a range of its bytes. */
  media(one, segment, offset, size) {
    const loop = this.loop(one.id);
    const minute = Number(segment.split("-")[1]);
    const parts = [];
    let at = 800;
    for (let s = minute * MINUTE_S; s < (minute + 1) * MINUTE_S; s += 1) {
      const long = loop.secondSize(s * FPS);
      if (at >= offset && at + long <= offset + size) {
        parts.push(loop.second(s * FPS, (s - minute * MINUTE_S) * FPS));
      }
      at += long;
    }
    return Buffer.concat(parts);
  }

  exported(one, from_us, to_us) {
    const loop = this.loop(one.id);
    const all = this.fragments(one, from_us, to_us, 3600).fragments;
    const parts = all.map((f, i) => loop.second((f.start_us / 1e6) * FPS, i * FPS));
    return Buffer.concat([loop.init, ...parts]);
  }

  add({ name, url, user, transport, accept_certificate }) {
    const id = String(this.next++);
    const added = camera(id, name, {
      url,
      user: user ?? null,
      transport: transport ?? "tcp",
      certificate: accept_certificate ?? null,
      created: iso(seconds()),
      since: iso(seconds()),
      recorded_from: iso(seconds()),
    });
    this.cameras.push(added);
    return added;
  }

  /** What a camera at an address would show; the address says what is wrong with it. */
  probe({ url, password, accept_certificate }) {
    const no = (status, code, detail) => ({ status, code, detail });
    if (!/^rtsps?:\/\/[^/]+/.test(url)) return no(422, "camera-url", "write it like rtsp://host/");
    if (url.includes("nowhere")) return no(502, "camera-host", "nothing answers there");
    if (url.includes(":555")) return no(502, "camera-port", "nothing listens at port 555");
    if (password === "wrong") return no(502, "camera-auth", "it refuses user or password");
    if (url.endsWith("/none")) return no(502, "camera-path", "it does not know the path");
    if (url.includes("vp8")) return no(502, "camera-codec", "it sends VP8");
    if (url.includes("slow")) return no(504, "camera-timeout", "it stopped in the middle");
    if (accept_certificate && accept_certificate !== SHOWN) {
      return no(502, "camera-certificate", "it shows another certificate");
    }
    const secure = url.startsWith("rtsps:");
    return {
      status: 200,
      body: {
        tracks: [video(2560, 1440), audio],
        server: "Example RTSP server 2.1",
        quirks: [{ id: "auth-basic", count: 1, level: "warning" }],
        preview: `data:image/jpeg;base64,${this.loop("2").still.toString("base64")}`,
        certificate: secure
          ? {
              sha256: SHOWN,
              subject: "CN=IPC-4821",
              not_after: "2034-05-06T00:00:00.000000Z",
              pinned: accept_certificate === SHOWN,
            }
          : null,
      },
    };
  }
}
