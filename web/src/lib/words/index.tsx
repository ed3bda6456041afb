// The page's language: the person's choice, else the browser's.
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from "react";
import { keep, recall } from "../keep";
import { en, type Words } from "./en";
import { vi } from "./vi";

export type { Words } from "./en";
export { explain, explainCause, momentOf } from "./explain";

export type Language = "en" | "vi";

export const LANGUAGES: readonly { id: Language; name: string }[] = [
  { id: "en", name: "English" },
  { id: "vi", name: "Tiếng Việt" },
];

const DICTIONARIES: Record<Language, Words> = { en, vi };

export const isLanguage = (text: string | undefined): text is Language =>
  text === "en" || text === "vi";

/** The first of the wanted languages that we speak. */
export function bestLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const short = tag.toLowerCase().split("-")[0];
    if (isLanguage(short)) return short;
  }
  return "en";
}

interface Speech {
  words: Words;
  language: Language;
  speak: (language: Language) => void;
  /** As `speak`, unless this browser's person chose already. */
  suggest: (language: string) => void;
}

const Context = createContext<Speech | undefined>(undefined);

export function Speaking({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(() => {
    const kept = recall("language");
    return isLanguage(kept) ? kept : bestLanguage(navigator.languages);
  });
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const speak = useCallback((chosen: Language) => {
    keep("language", chosen);
    setLanguage(chosen);
  }, []);
  const suggest = useCallback((wanted: string) => {
    if (recall("language") === undefined && isLanguage(wanted)) setLanguage(wanted);
  }, []);
  const speech = useMemo(
    () => ({ words: DICTIONARIES[language], language, speak, suggest }),
    [language, speak, suggest],
  );
  return <Context value={speech}>{children}</Context>;
}

export function useWords(): Speech {
  const speech = useContext(Context);
  if (!speech) throw new Error("useWords outside of Speaking");
  return speech;
}
