// The rules of new passwords as far as a page can know them; the server has the last word.

export interface PasswordRules {
  /** Long enough, by either rule. */
  long: boolean;
  mixed: boolean;
  varied: boolean;
}

export function passwordRules(password: string): PasswordRules {
  const chars = [...password];
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}]/u];
  return {
    long: chars.length >= 12,
    mixed: chars.length >= 8 && kinds.every((kind) => kind.test(password)),
    varied: chars.length > 0 && varied(password.toLowerCase()),
  };
}

export const goodPassword = (rules: PasswordRules): boolean =>
  (rules.long || rules.mixed) && rules.varied;

/** Five different characters, and not mostly a row of neighbours like `abcdef` or `987654`. */
function varied(lower: string): boolean {
  const codes = [...lower].map((c) => c.codePointAt(0) ?? 0);
  if (new Set(codes).size < 5) return false;
  let up = 0;
  let down = 0;
  for (let i = 1; i < codes.length; i += 1) {
    const step = (codes[i] ?? 0) - (codes[i - 1] ?? 0);
    if (step === 1) up += 1;
    if (step === -1) down += 1;
  }
  return Math.max(up, down) * 4 < (codes.length - 1) * 3;
}

/** How far a password is on its way, 0 to 1. */
export function progress(password: string): number {
  const rules = passwordRules(password);
  if (goodPassword(rules)) return 1;
  return Math.min(0.9, ([...password].length / 12) * (rules.varied ? 0.9 : 0.5));
}
