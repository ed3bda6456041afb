// Quirks in the order of what they ask of people.
import type { Quirk } from "../api/types";
import type { Words } from "../lib/words";

export type Level = "counter" | "note" | "warning";

export interface Seen {
  id: string;
  count: number;
  level: Level;
}

const ORDER: readonly Level[] = ["warning", "note", "counter"];

function levelOf(text: string): Level {
  return ORDER.find((level) => level.startsWith(text.toLowerCase()) && text !== "") ?? "counter";
}

/** Warnings first, then notes, then what is only counted; the most frequent first. */
export function quirksOf(quirks: readonly Quirk[]): Seen[] {
  return quirks
    .map((q) => ({ id: q.id, count: q.count, level: levelOf(q.level) }))
    .sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level) || b.count - a.count);
}

interface Explained {
  what: string;
  remedy: string;
}

/** What a quirk is and what to do; undefined for those that ask nothing of people. */
export function explainQuirk(words: Words, id: string): Explained | undefined {
  const table: Record<string, Explained> = words.quirks;
  return Object.hasOwn(table, id) ? table[id] : undefined;
}
