// The instant that a page is at: in the address, so that a link and a reload come back to it.
import { useCallback, useEffect, useRef } from "react";
import { dayOf, now, parseMoment, toIso, type Us } from "../lib/time";
import { navigate, withParams } from "../lib/url";

/** While it plays, the address follows at this distance: browsers refuse more than a few a second. */
const WRITE_EVERY_MS = 5000;

export interface Place {
  day: string;
  /** Undefined: the page chooses. */
  at: Us | undefined;
}

export function placeOf(params: URLSearchParams): Place {
  const at = parseMoment(params.get("at"));
  if (at !== undefined) return { day: dayOf(at), at };
  return { day: params.get("day") ?? dayOf(now()), at: undefined };
}

/** Writes instants into the address; `moved` is called for those that others wrote there. */
export function useInstant(camera: string, params: URLSearchParams, moved: (at: Us) => void) {
  const text = params.get("at");
  const written = useRef<string | null>(null);
  const last_ms = useRef(0);
  const write = useCallback(
    (at: Us, how: "now" | "sometimes") => {
      if (how === "sometimes" && performance.now() - last_ms.current < WRITE_EVERY_MS) return;
      last_ms.current = performance.now();
      written.current = toIso(at);
      const next = { camera, at: written.current, day: undefined };
      const query = new URLSearchParams(window.location.search);
      navigate(withParams("/timeline", query, next), "replace");
    },
    [camera],
  );
  useEffect(() => {
    if (text === null || text === written.current) return;
    written.current = text;
    const at = parseMoment(text);
    if (at !== undefined) moved(at);
  }, [text, moved]);
  return write;
}
