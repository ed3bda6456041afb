// How a camera is, in words and as a shape: the same on every page.
import { duration, type Us } from "../lib/time";
import { explainCause, type Words } from "../lib/words";
import type { Camera } from "./types";

export interface Condition {
  shape: "dot" | "ring" | "broken" | "dashes" | "triangle" | "lock" | "off";
  tone: "calm" | "watch" | "loss" | "soft";
  text: string;
  /** Pictures that should be recorded are not. */
  losing: boolean;
}

const us = (text: string): Us => Date.parse(text) * 1000;

export function conditionOf(camera: Camera, words: Words, language: string, now: Us): Condition {
  const { gap } = camera;
  // A hole of a second or two is on the timeline, not in everybody's face.
  const lasting = gap && now - us(gap.from) > 3_000_000;
  const missing = lasting
    ? words.state.notRecording(
        duration(now - us(gap.from), language),
        explainCause(words, gap.cause),
      )
    : undefined;
  switch (camera.state) {
    case "recording":
      if (missing) return { shape: "triangle", tone: "watch", text: missing, losing: true };
      return { shape: "dot", tone: "calm", text: words.state.recording, losing: false };
    case "live":
      if (missing) return { shape: "broken", tone: "loss", text: missing, losing: true };
      return { shape: "ring", tone: "soft", text: words.state.live, losing: false };
    case "connecting":
      return {
        shape: "dashes",
        tone: missing ? "watch" : "soft",
        text: missing ?? words.state.connecting,
        losing: missing !== undefined,
      };
    case "offline":
      return { shape: "broken", tone: "loss", text: missing ?? words.state.offline, losing: true };
    case "refused":
      return { shape: "lock", tone: "loss", text: missing ?? words.state.refused, losing: true };
    case "disabled":
      return { shape: "off", tone: "soft", text: words.state.disabled, losing: false };
  }
}
