// The address bar is the state: a link given to a neighbour opens the same camera and second.
import { useSyncExternalStore } from "react";

const CHANGED = "khien:url";

function snapshot(): string {
  return window.location.pathname + window.location.search + window.location.hash;
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener("popstate", onChange);
  window.addEventListener(CHANGED, onChange);
  return () => {
    window.removeEventListener("popstate", onChange);
    window.removeEventListener(CHANGED, onChange);
  };
}

/** Goes to an address of this app; `replace` leaves no step for the Back button. */
export function navigate(to: string, how: "push" | "replace" = "push"): void {
  if (to === snapshot()) return;
  if (how === "replace") window.history.replaceState(null, "", to);
  else window.history.pushState(null, "", to);
  window.dispatchEvent(new Event(CHANGED));
}

/** The present address. */
export function useUrl(): URL {
  const text = useSyncExternalStore(subscribe, snapshot);
  return new URL(text, window.location.origin);
}

/** An address with some parameters changed; `undefined` removes one. */
export function withParams(
  path: string,
  now: URLSearchParams,
  change: Record<string, string | undefined>,
): string {
  const params = new URLSearchParams(now);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) params.delete(name);
    else params.set(name, value);
  }
  const query = params.toString();
  return query ? `${path}?${query}` : path;
}

/** The token of a set-up link, behind `?` or, where no log of a server sees it, behind `#`. */
export function setupToken(url: URL): string | null {
  const behind = url.hash.split("?").at(-1)?.replace(/^#/, "");
  return url.searchParams.get("token") ?? new URLSearchParams(behind).get("token");
}

/** A path inside this app, or `/`: never another site's address. */
export function innerPath(text: string | null): string {
  if (!text?.startsWith("/") || text.startsWith("//") || text.includes("\\")) return "/";
  return text;
}
