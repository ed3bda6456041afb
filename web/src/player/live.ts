// The live socket: asks for pictures, hands on what comes, calls again when it breaks.
import { afterClose } from "./backoff";

export interface InitMessage {
  t: "init";
  id: number;
  mime: string;
  w?: number;
  h?: number;
}

export interface LiveEvents {
  /** A new description of the media, with its init segment. */
  init: (message: InitMessage, segment: ArrayBuffer) => void;
  fragment: (bytes: ArrayBuffer) => void;
  wall: (us: number, media_s: number) => void;
  drop: (frames: number) => void;
  /** The socket broke. A new one follows unless `final` says why not. */
  broken: (how: { offline: boolean; final?: "login" | "gone" }) => void;
}

type Message =
  | InitMessage
  | { t: "wall"; us: number; media_s: number }
  | { t: "drop"; frames: number };

const PROTOCOL = "khien.fmp4.v1";
/** A camera that says nothing for so long has gone, or the way to it. */
const SILENCE_MS = 12_000;
/** A connection that lived so long was good: the next failure is the first again. */
const GOOD_MS = 10_000;

/** The text message, if it is one of ours. */
export function parseMessage(text: string): Message | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("t" in value)) return undefined;
  const m = value as Record<string, unknown>;
  const num = (name: string): number | undefined => {
    const n = m[name];
    return typeof n === "number" && Number.isFinite(n) ? n : undefined;
  };
  switch (m.t) {
    case "init": {
      if (typeof m.mime !== "string") return undefined;
      const size = { w: num("w"), h: num("h") };
      const { w, h } = size;
      return {
        t: "init",
        id: num("id") ?? 0,
        mime: m.mime,
        ...(w !== undefined && h !== undefined ? { w, h } : {}),
      };
    }
    case "wall": {
      const us = num("us");
      const media_s = num("media_s");
      return us === undefined || media_s === undefined ? undefined : { t: "wall", us, media_s };
    }
    case "drop":
      return { t: "drop", frames: num("frames") ?? 0 };
    default:
      return undefined;
  }
}

export class LiveSocket {
  private socket: WebSocket | undefined;
  private attempt = 0;
  private opened_ms = 0;
  private init: InitMessage | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private readonly url: string;
  private readonly events: LiveEvents;

  constructor(url: string, events: LiveEvents) {
    this.url = url;
    this.events = events;
  }

  open(): void {
    if (this.socket) return;
    clearTimeout(this.retry);
    this.init = undefined;
    const socket = new WebSocket(this.url, PROTOCOL);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.watch();
    socket.onopen = () => {
      this.opened_ms = Date.now();
      socket.send('{"t":"play"}');
    };
    socket.onmessage = (e: MessageEvent<unknown>) => {
      this.watch();
      if (typeof e.data === "string") this.text(e.data);
      else if (e.data instanceof ArrayBuffer) this.binary(e.data);
    };
    socket.onclose = (e) => this.closed(socket, e.code);
  }

  /** Stops pulling. `open` starts again. */
  close(): void {
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = undefined;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    // Closing before it is open is an error on the console of some browsers; then it waits.
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(1000);
    else socket.close(1000);
  }

  private text(text: string): void {
    const message = parseMessage(text);
    switch (message?.t) {
      case "init":
        this.init = message;
        return;
      case "wall":
        return this.events.wall(message.us, message.media_s);
      case "drop":
        return this.events.drop(message.frames);
      case undefined:
        return;
    }
  }

  private binary(bytes: ArrayBuffer): void {
    if (!this.init) return this.events.fragment(bytes);
    const message = this.init;
    this.init = undefined;
    this.events.init(message, bytes);
  }

  private watch(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      const socket = this.socket;
      if (!socket) return;
      socket.onclose = null;
      socket.close(4000);
      this.closed(socket, 1006);
    }, SILENCE_MS);
  }

  private closed(socket: WebSocket, code: number): void {
    if (this.socket !== socket) return;
    this.socket = undefined;
    clearTimeout(this.silence);
    if (this.opened_ms > 0 && Date.now() - this.opened_ms > GOOD_MS) this.attempt = 0;
    this.opened_ms = 0;
    const next = afterClose(code, this.attempt, Math.random());
    this.attempt += 1;
    if (next.kind === "again") {
      this.retry = setTimeout(() => this.open(), next.in_ms);
      this.events.broken({ offline: next.offline });
    } else {
      this.events.broken({ offline: false, final: next.kind });
    }
  }
}
