// Small choices that this browser remembers. Storage may be switched off: then nothing is kept.

export function recall(name: string): string | undefined {
  try {
    return window.localStorage.getItem(`khien.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function keep(name: string, value: string): void {
  try {
    window.localStorage.setItem(`khien.${name}`, value);
  } catch {
    // Refused or full: the choice lasts until the page is closed.
  }
}
