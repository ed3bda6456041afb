// Fills the screen with a part of the page, where the browser lets us.
import { type RefObject, useCallback, useEffect, useState } from "react";

export function useFullScreen(ref: RefObject<HTMLElement | null>) {
  const [full, setFull] = useState(false);
  useEffect(() => {
    const look = () => setFull(document.fullscreenElement !== null);
    document.addEventListener("fullscreenchange", look);
    return () => document.removeEventListener("fullscreenchange", look);
  }, []);
  const toggle = useCallback(() => {
    const change = document.fullscreenElement
      ? document.exitFullscreen()
      : ref.current?.requestFullscreen?.();
    change?.catch(() => undefined);
  }, [ref]);
  return { full, toggle, possible: document.fullscreenEnabled === true };
}
