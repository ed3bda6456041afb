import type { ReactNode } from "react";
import { LANGUAGES, useWords } from "../lib/words";
import { Choice } from "../ui/field";
import { Sign } from "../ui/icon";
import "./login.css";

/** The door: the sign, a card, the language. */
export function Frame({
  title,
  lead,
  children,
}: {
  title: string;
  lead?: string;
  children: ReactNode;
}) {
  const { words, language, speak } = useWords();
  return (
    <main className="door">
      <div className="door-sign">
        <Sign size={56} />
        <span>khien</span>
      </div>
      <section className="card door-card">
        <h1>{title}</h1>
        {lead && <p className="soft">{lead}</p>}
        {children}
      </section>
      <Choice
        label={words.setup.language}
        hideLabel
        options={LANGUAGES}
        value={language}
        onChoose={speak}
      />
    </main>
  );
}
