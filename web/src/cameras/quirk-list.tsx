import type { Quirk } from "../api/types";
import { useWords } from "../lib/words";
import { Mark } from "../ui/icon";
import { explainQuirk, quirksOf } from "./quirks";

/** Where a camera departs from the standards, and what a person can do. */
export function QuirkList({ quirks }: { quirks: Quirk[] }) {
  const { words, language } = useWords();
  const { cameras } = words;
  const all = quirksOf(quirks);
  if (all.length === 0) return <p className="soft">{cameras.noQuirks}</p>;
  const told = all.filter((q) => explainQuirk(words, q.id));
  const counted = all.filter((q) => !explainQuirk(words, q.id));
  const times = (n: number) => cameras.quirkTimes(n.toLocaleString(language));
  return (
    <>
      {told.length > 0 && (
        <ul className="quirks">
          {told.map((q) => {
            const text = explainQuirk(words, q.id);
            const warning = q.level === "warning";
            return (
              <li key={q.id}>
                <Mark shape={warning ? "triangle" : "ring"} tone={warning ? "watch" : "soft"} />
                <div>
                  <p>
                    <strong>{text?.what}</strong>{" "}
                    <span className="soft">
                      {cameras.level[q.level]}, {times(q.count)}
                    </span>
                  </p>
                  <p>{text?.remedy}</p>
                </div>
              </li>
            );
          })}
        </ul>
      )}
      {counted.length > 0 && (
        <details className="quirks-counted">
          <summary>{cameras.counted(counted.length)}</summary>
          <ul>
            {counted.map((q) => (
              <li key={q.id}>
                <code>{q.id}</code> <span className="soft">{times(q.count)}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
