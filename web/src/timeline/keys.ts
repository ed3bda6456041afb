// The keys of the timeline page.
import { useEffect, useRef } from "react";
import { typing } from "../lib/keys";
import { MINUTE, SECOND, type Us } from "../lib/time";

/** One picture at a usual rate, seconds. */
export const FRAME_S = 1 / 25;
export const JUMP: Us = 10 * SECOND;

interface Acts {
  play: () => void;
  move: (by: Us) => void;
  step: (seconds: number) => void;
  /** 0: the whole day. */
  zoom: (factor: number) => void;
  full: () => void;
  cut: () => void;
  mark: (end: "in" | "out") => void;
  camera: (n: number) => void;
}

export function useKeys(acts: Acts): void {
  const now = useRef(acts);
  now.current = acts;
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if (typing(e) || !press(e, now.current)) return;
      e.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

/** Does what a key stands for; false if it stands for nothing. */
export function press(e: { key: string; shiftKey: boolean; target: unknown }, acts: Acts): boolean {
  const on =
    typeof Element !== "undefined" && e.target instanceof Element
      ? e.target.closest("button, a, summary")
      : null;
  // A key that presses the focused button is the button's.
  if (on && (e.key === " " || e.key === "Enter")) return false;
  const jump = e.shiftKey ? MINUTE : JUMP;
  switch (e.key) {
    case " ":
    case "k":
      acts.play();
      return true;
    case "ArrowLeft":
    case "j":
      acts.move(-jump);
      return true;
    case "ArrowRight":
    case "l":
      acts.move(jump);
      return true;
    case ",":
      acts.step(-FRAME_S);
      return true;
    case ".":
      acts.step(FRAME_S);
      return true;
    case "+":
    case "=":
      acts.zoom(0.5);
      return true;
    case "-":
      acts.zoom(2);
      return true;
    case "0":
      acts.zoom(0);
      return true;
    case "f":
      acts.full();
      return true;
    case "e":
      acts.cut();
      return true;
    case "i":
      acts.mark("in");
      return true;
    case "o":
      acts.mark("out");
      return true;
  }
  const n = Number(e.key);
  if (!Number.isInteger(n) || n < 1 || n > 9) return false;
  acts.camera(n - 1);
  return true;
}
