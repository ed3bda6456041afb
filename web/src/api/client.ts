// Every request goes through here and never throws: an answer, a cancel, or a problem with a code.
import type { Problem } from "./types";

export type Result<T> =
  | { kind: "ok"; value: T }
  | { kind: "aborted" }
  | { kind: "failed"; problem: Problem };

export const BASE = "/api/v1";

type Listener = () => void;
const signedOut = new Set<Listener>();

/** Called when the server no longer knows our session. */
export function onSignedOut(listener: Listener): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

export function reportSignedOut(): void {
  for (const listener of signedOut) listener();
}

interface Options {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
  /** A 401 is an answer here (log in, own password), not the end of the session. */
  mayRefuse?: boolean;
}

async function send(path: string, options: Options): Promise<Result<Response>> {
  const headers: Record<string, string> = { ...options.headers };
  if (options.body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method: options.method ?? "GET",
      headers,
      credentials: "same-origin",
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: options.signal ?? null,
    });
  } catch (e) {
    return thrown(e, options.signal);
  }
  if (response.ok) return { kind: "ok", value: response };
  if (response.status === 401 && !options.mayRefuse) reportSignedOut();
  return { kind: "failed", problem: await problemOf(response) };
}

function thrown<T>(e: unknown, signal: AbortSignal | undefined): Result<T> {
  if (signal?.aborted || (e instanceof DOMException && e.name === "AbortError")) {
    return { kind: "aborted" };
  }
  return { kind: "failed", problem: { status: 0, code: "network", detail: String(e) } };
}

/** The problem in an answer that says no, whatever its body is. */
export async function problemOf(response: Response): Promise<Problem> {
  const status = response.status;
  const unknown: Problem = { status, code: `http-${status}`, detail: response.statusText };
  try {
    const body: unknown = await response.json();
    if (typeof body !== "object" || body === null) return unknown;
    return { ...unknown, ...body, status };
  } catch {
    return unknown;
  }
}

/** A request whose answer is JSON. */
export async function json<T>(path: string, options: Options = {}): Promise<Result<T>> {
  const result = await send(path, options);
  if (result.kind !== "ok") return result;
  try {
    return { kind: "ok", value: (await result.value.json()) as T };
  } catch (e) {
    return thrown(e, options.signal);
  }
}

/** A request whose answer has no body, or none of interest. */
export async function plain(path: string, options: Options = {}): Promise<Result<null>> {
  const result = await send(path, options);
  if (result.kind !== "ok") return result;
  await result.value.body?.cancel().catch(() => undefined);
  return { kind: "ok", value: null };
}

export interface Body {
  bytes: ArrayBuffer;
  header: (name: string) => string | null;
}

/** A request whose answer is media. */
export async function binary(path: string, options: Options = {}): Promise<Result<Body>> {
  const result = await send(path, options);
  if (result.kind !== "ok") return result;
  const { headers } = result.value;
  try {
    const bytes = await result.value.arrayBuffer();
    return { kind: "ok", value: { bytes, header: (name) => headers.get(name) } };
  } catch (e) {
    return thrown(e, options.signal);
  }
}
