// Codes of the server in the reader's words.
import { moment } from "../time";
import type { Words } from "./en";

const own = (table: object, key: string): key is keyof typeof table => Object.hasOwn(table, key);

/** What a problem's code means and what to do; the server's own sentence for codes we do not know. */
export function explain(
  words: Words,
  problem: { code: string; detail?: string; message?: string },
): string {
  const table: Record<string, string> = words.problems;
  const known = own(table, problem.code) ? table[problem.code] : undefined;
  const detail = problem.detail ?? problem.message ?? "";
  const sentence =
    detail === "" ? words.failed.title : detail.charAt(0).toUpperCase() + detail.slice(1);
  return known ?? sentence;
}

/** Why nothing was recorded. */
export function explainCause(words: Words, cause: string): string {
  const table: Record<string, string> = words.cause;
  return (own(table, cause) ? table[cause] : undefined) ?? words.cause.unknown;
}

/** A server's RFC 3339 time as day and clock. */
export function momentOf(text: string | null, language: string): string {
  const ms = text ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? "–" : moment(ms * 1000, language);
}
