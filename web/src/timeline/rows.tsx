import type { Timeline } from "../api/types";
import { clock, dayName, duration, now, type Span, type Us } from "../lib/time";
import { explainCause, useWords } from "../lib/words";
import { Button } from "../ui/button";
import { rows } from "./view";

/** A day can have very many pieces: a table of thousands helps nobody. */
const MOST = 400;

/** The keys of this page: for those who look for them. */
export function Keys() {
  const { words } = useWords();
  const { key } = words.timeline;
  const list: [string, string][] = [
    ["Space, K", key.play],
    ["← →, J L", key.move],
    [", .", key.frame],
    ["+ − 0", key.zoom],
    ["E, I, O", key.cut],
    ["F", key.full],
    ["1–9", key.camera],
  ];
  return (
    <details className="day-rows day-keys">
      <summary>{words.timeline.keys}</summary>
      <dl>
        {list.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** The tape as a table: to read, to hear, to act on. */
export function Rows({ line, day, play }: { line: Timeline; day: Span; play: (from: Us) => void }) {
  const { words, language } = useWords();
  const { timeline } = words;
  const all = rows(line, now());
  if (all.length === 0) return null;
  return (
    <details className="day-rows">
      <summary>{timeline.table}</summary>
      <table>
        <caption className="hidden-text">
          {timeline.tableCaption(dayName(day.from, language))}
        </caption>
        <thead>
          <tr>
            <th scope="col">{timeline.from}</th>
            <th scope="col">{timeline.to}</th>
            <th scope="col">{timeline.length}</th>
            <th scope="col">{timeline.what}</th>
            <th scope="col">
              <span className="hidden-text">{timeline.action}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {all.slice(0, MOST).map((row) => (
            <tr key={`${row.kind}${row.from}`} data-kind={row.kind}>
              <td>{clock(row.from)}</td>
              <td>{row.lasts ? timeline.goOn : clock(row.to)}</td>
              <td>{duration(row.to - row.from, language)}</td>
              <td>
                {row.kind === "gap"
                  ? `${timeline.notRecorded}: ${explainCause(words, row.cause ?? "")}`
                  : timeline[row.kind]}
              </td>
              <td>
                {row.kind === "recorded" && (
                  <Button
                    kind="quiet"
                    icon="play"
                    label={timeline.playFrom(clock(row.from))}
                    onClick={() => play(row.from)}
                  />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {all.length > MOST && <p className="soft">{timeline.more(all.length - MOST)}</p>}
    </details>
  );
}
