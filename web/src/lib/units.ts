// Numbers with units as people read them.

const number = (language: string, n: number, digits: number): string =>
  new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(n);

/** `512 kB`, `3.4 GB`: powers of ten, as on the disk's box. */
export function bytes(n: number, language: string): string {
  const names = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = Math.max(0, n);
  let at = 0;
  while (value >= 999.5 && at < names.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${number(language, value, value < 10 && at > 0 ? 1 : 0)}\u00a0${names[at]}`;
}

/** `3.2 Mbit/s` from bytes per second. */
export function bitrate(bytesPerSecond: number, language: string): string {
  const bits = Math.max(0, bytesPerSecond) * 8;
  if (bits >= 1e6) return `${number(language, bits / 1e6, 1)}\u00a0Mbit/s`;
  return `${number(language, bits / 1e3, 0)}\u00a0kbit/s`;
}

/** `25 fps` without a long tail of digits. */
export function framesPerSecond(fps: number, language: string): string {
  return `${number(language, fps, 1)}\u00a0fps`;
}
