// A value of the server that pages look at: loaded once for all of them, again every few seconds
// while somebody looks, and at once when we changed it.
import { useEffect, useSyncExternalStore } from "react";
import type { Result } from "./client";
import type { Problem } from "./types";

export interface Loaded<T> {
  /** The newest answer; stays while a newer one is awaited or fails. */
  value: T | undefined;
  /** Why the last request failed; undefined after one that did not. */
  problem: Problem | undefined;
}

type Load<T> = (signal: AbortSignal) => Promise<Result<T>>;

export class Resource<T> {
  private state: Loaded<T> = { value: undefined, problem: undefined };
  private readonly listeners = new Set<() => void>();
  private request: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly load: Load<T>;
  private readonly every_ms: number | undefined;

  constructor(load: Load<T>, every_ms?: number) {
    this.load = load;
    this.every_ms = every_ms;
  }

  readonly get = (): Loaded<T> => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    if (this.listeners.size === 1) void this.refresh();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      clearTimeout(this.timer);
      this.request?.abort();
    };
  };

  /** Loads now; an older request still under way is dropped. */
  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    const result = await this.load(request.signal);
    if (this.request !== request) return;
    this.request = undefined;
    if (result.kind === "ok") this.set(result.value);
    else if (result.kind === "failed") {
      this.state = { value: this.state.value, problem: result.problem };
      this.tell();
    }
    if (this.every_ms !== undefined && this.listeners.size > 0) {
      this.timer = setTimeout(() => void this.refresh(), this.every_ms);
    }
  }

  /** Takes a value that we know from elsewhere, such as the answer to a change. */
  set(value: T): void {
    this.state = { value, problem: undefined };
    this.tell();
  }

  /** Forgets everything: another person may log in. */
  clear(): void {
    this.request?.abort();
    this.request = undefined;
    this.state = { value: undefined, problem: undefined };
    this.tell();
    if (this.listeners.size > 0) void this.refresh();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/** The resource's present state; loads it while the component is there. */
export function useResource<T>(resource: Resource<T>): Loaded<T> {
  return useSyncExternalStore(resource.subscribe, resource.get);
}

/** One resource per name, such as one per camera. The oldest unused are forgotten. */
export function family<T>(make: (name: string) => Resource<T>, most = 32) {
  const known = new Map<string, Resource<T>>();
  return (name: string): Resource<T> => {
    const found = known.get(name);
    if (found) return found;
    const made = make(name);
    known.set(name, made);
    if (known.size > most) {
      const oldest = known.keys().next();
      if (!oldest.done) known.delete(oldest.value);
    }
    return made;
  };
}

/** Runs `look` every `ms` while the component is there. */
export function useEvery(ms: number, look: () => void): void {
  useEffect(() => {
    const timer = setInterval(look, ms);
    return () => clearInterval(timer);
  }, [ms, look]);
}
