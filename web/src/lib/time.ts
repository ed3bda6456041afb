// Wall time is microseconds since 1970 UTC, as everywhere in khien; here it meets people: their
// browser's zone, a 24-hour clock, days that have 23 or 25 hours twice a year.

/** Microseconds since 1970 UTC. */
export type Us = number;

export const SECOND: Us = 1_000_000;
export const MINUTE: Us = 60 * SECOND;
export const HOUR: Us = 60 * MINUTE;

export interface Span {
  from: Us;
  to: Us;
}

export const now = (): Us => Date.now() * 1000;
export const toDate = (us: Us): Date => new Date(us / 1000);
/** RFC 3339 in UTC, to the millisecond. */
export const toIso = (us: Us): string => toDate(us).toISOString();

/** Microseconds of an RFC 3339 text or of digits; undefined for anything else. */
export function parseMoment(text: string | null | undefined): Us | undefined {
  if (!text) return undefined;
  if (/^\d{15,16}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms * 1000;
}

const two = (n: number): string => String(n).padStart(2, "0");

/** The local day that an instant lies in, as `2026-11-23`. */
export function dayOf(us: Us): string {
  const d = toDate(us);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/** First instant of a local day and of the next one; undefined if the text is no day. */
export function daySpan(day: string): Span | undefined {
  const m = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  if (!m) return undefined;
  const [year, month, date] = [Number(m[1]), Number(m[2]) - 1, Number(m[3])];
  const from = new Date(year, month, date);
  if (from.getMonth() !== month || from.getDate() !== date) return undefined;
  return { from: from.getTime() * 1000, to: new Date(year, month, date + 1).getTime() * 1000 };
}

/** The day `days` after (or, negative, before) a day. */
export function shiftDay(day: string, days: number): string {
  const m = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  if (!m) return day;
  return dayOf(new Date(Number(m[1]), Number(m[2]) - 1, Number(m[3]) + days, 12).getTime() * 1000);
}

/** Full hours, local time, inside a span, every `step` hours of the clock. */
export function hoursIn(span: Span, step: number): Us[] {
  const out: Us[] = [];
  const d = toDate(span.from);
  d.setMinutes(0, 0, 0);
  for (let at = d.getTime() * 1000; at <= span.to; at += HOUR) {
    if (at >= span.from && toDate(at).getHours() % step === 0) out.push(at);
  }
  return out;
}

/** `14:07:31`, or without seconds. The same in every language. */
export function clock(us: Us, seconds = true): string {
  const d = toDate(us);
  const hm = `${two(d.getHours())}:${two(d.getMinutes())}`;
  return seconds ? `${hm}:${two(d.getSeconds())}` : hm;
}

/** The instant of a clock text (`14:07` or `14:07:31`) on a local day. */
export function atClock(day: string, text: string): Us | undefined {
  const d = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  const t = /^(\d\d):(\d\d)(?::(\d\d))?/.exec(text);
  if (!d || !t) return undefined;
  const [hour, minute, second] = [Number(t[1]), Number(t[2]), Number(t[3] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const at = new Date(Number(d[1]), Number(d[2]) - 1, Number(d[3]), hour, minute, second);
  return at.getTime() * 1000;
}

/** A clock text as people type it (`9:5`, `1407`, `14.07.31`) as `09:05`; else as it is. */
export function readClock(text: string): string {
  const digits = /^\d{3,6}$/.test(text.trim())
    ? text.trim().padStart(text.trim().length > 4 ? 6 : 4, "0")
    : "";
  const parts = digits ? (digits.match(/\d\d/g) ?? []) : text.trim().split(/\D+/);
  if (parts.length < 2 || parts.length > 3 || parts.some((p) => !/^\d{1,2}$/.test(p))) return text;
  return parts.map((p) => p.padStart(2, "0")).join(":");
}

/** How a language writes dates: the day before the month. */
const dates = (language: string): string => (language === "en" ? "en-GB" : language);

/** `Mon, 23 Nov 2026` in the reader's language. */
export function dayName(us: Us, language: string): string {
  return new Intl.DateTimeFormat(dates(language), {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
  }).format(toDate(us));
}

/** Day and clock for things that may be long ago. */
export function moment(us: Us, language: string, today: Us = now()): string {
  if (dayOf(us) === dayOf(today)) return clock(us, false);
  const day = new Intl.DateTimeFormat(dates(language), {
    day: "numeric",
    month: "short",
    year: "numeric",
  });
  return `${day.format(toDate(us))}, ${clock(us, false)}`;
}

/** `GMT+7`: which zone the page's times are in. */
export function zoneName(us: Us, language: string): string {
  const parts = new Intl.DateTimeFormat(dates(language), {
    timeZoneName: "shortOffset",
  }).formatToParts(toDate(us));
  return parts.find((p) => p.type === "timeZoneName")?.value ?? "UTC";
}

/** `2 min 05 s`, `3 h 12 min`, `2 days 4 h`: the two largest parts. */
export function duration(us: Us, language: string): string {
  const unit = (n: number, name: string, digits = 1): string =>
    new Intl.NumberFormat(language, {
      style: "unit",
      unit: name,
      unitDisplay: name === "day" ? "long" : language === "en" ? "narrow" : "short",
      minimumIntegerDigits: digits,
    })
      .format(n)
      .replace(/^(\d+)m$/, "$1 min")
      .replace(/^(\d+)([hs])$/, "$1 $2");
  const s = Math.max(0, Math.round(us / SECOND));
  if (s < 60) return unit(s, "second");
  const [minutes, hours] = [Math.floor(s / 60), Math.floor(s / 3600)];
  if (minutes < 60) return `${unit(minutes, "minute")} ${unit(s % 60, "second", 2)}`;
  if (hours < 24) return `${unit(hours, "hour")} ${unit(minutes % 60, "minute", 2)}`;
  return `${unit(Math.floor(hours / 24), "day")} ${unit(hours % 24, "hour")}`;
}
