// When to call a live socket again, and whether at all.

export type Closed =
  | { kind: "again"; in_ms: number; offline: boolean }
  | { kind: "login" }
  | { kind: "gone" };

const FIRST_MS = 500;
const MOST_MS = 15_000;

/**
 * What to do after the socket closed with `code`, the `attempt`-th time in a row (from 0).
 * `random` in 0..1 spreads many tiles that lost the same server.
 */
export function afterClose(code: number, attempt: number, random: number): Closed {
  if (code === 4401) return { kind: "login" };
  if (code === 4404) return { kind: "gone" };
  const offline = code === 4409;
  // Busy or offline: no use in hurrying.
  const first = offline || code === 1013 ? 2000 : FIRST_MS;
  const wait = Math.min(MOST_MS, first * 2 ** Math.min(attempt, 10));
  return { kind: "again", in_ms: Math.round(wait * (0.75 + random * 0.5)), offline };
}
