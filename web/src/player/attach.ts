// Joins a <video> with a media source of whichever kind the browser has.
import { engine } from "./codec";

export interface Attached {
  source: MediaSource;
  detach: () => void;
}

/** Resolves when the source is open; rejects if the browser has none or the signal says stop. */
export function attach(video: HTMLVideoElement, signal: AbortSignal): Promise<Attached> {
  const Engine = engine();
  if (!Engine) return Promise.reject(new Error("no media source"));
  const source = new Engine();
  // A managed source opens only when nobody could take the picture elsewhere.
  video.disableRemotePlayback = true;
  const url = URL.createObjectURL(source);
  const detach = () => {
    URL.revokeObjectURL(url);
    video.removeAttribute("src");
    video.load();
  };
  return new Promise((done, refuse) => {
    const stop = () => {
      detach();
      refuse(new DOMException("stopped", "AbortError"));
    };
    signal.addEventListener("abort", stop, { once: true });
    source.addEventListener(
      "sourceopen",
      () => {
        signal.removeEventListener("abort", stop);
        source.duration = Number.POSITIVE_INFINITY;
        done({ source, detach });
      },
      { once: true },
    );
    video.src = url;
  });
}
