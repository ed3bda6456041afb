// Which codecs this browser plays, and what to call those that it does not.

interface Engine {
  new (): MediaSource;
  isTypeSupported(type: string): boolean;
}

declare global {
  interface Window {
    /** iPhones have only this one (iOS 17.1). */
    ManagedMediaSource?: Engine;
  }
}

/** The browser's media source, the managed one first; undefined where there is none. */
export function engine(): Engine | undefined {
  if (window.ManagedMediaSource) return window.ManagedMediaSource;
  return typeof MediaSource === "undefined" ? undefined : MediaSource;
}

/** The codec strings in a MIME type. */
export function codecsOf(mime: string): string[] {
  const m = /codecs="?([^"]*)"?/.exec(mime);
  return (m?.[1] ?? "")
    .split(",")
    .map((c) => c.trim())
    .filter((c) => c !== "");
}

/** A codec string or slug in the words of a camera's box. */
export function codecName(codec: string): string {
  const short = codec.toLowerCase().split(".")[0] ?? "";
  const names: Record<string, string> = {
    avc1: "H.264",
    avc3: "H.264",
    h264: "H.264",
    hvc1: "H.265",
    hev1: "H.265",
    h265: "H.265",
    av01: "AV1",
    vp09: "VP9",
    mp4a: "AAC",
    aac: "AAC",
    opus: "Opus",
    alaw: "G.711",
    ulaw: "G.711",
    g711: "G.711",
    mjpeg: "MJPEG",
    jpeg: "MJPEG",
    mp4v: "MJPEG",
    metadata: "ONVIF",
  };
  return names[short] ?? codec;
}

/** Names of what this browser cannot play of a stream; empty if it plays it all. */
export function unplayable(mime: string, supports: (type: string) => boolean): string[] {
  if (supports(mime)) return [];
  const bad = codecsOf(mime).filter((c) => !supports(`video/mp4; codecs="${c}"`));
  const names = (bad.length > 0 ? bad : codecsOf(mime)).map(codecName);
  return names.length > 0 ? [...new Set(names)] : [mime];
}

export const hasAudio = (mime: string): boolean =>
  codecsOf(mime).some((c) => ["AAC", "Opus", "G.711"].includes(codecName(c)));
