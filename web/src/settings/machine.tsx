import { cameras } from "../api/calls";
import { conditionOf } from "../api/condition";
import { useResource } from "../api/resource";
import type { Status } from "../api/types";
import { clock, duration, now, SECOND, zoneName } from "../lib/time";
import { bytes } from "../lib/units";
import { explain, useWords } from "../lib/words";
import { Notice } from "../ui/notice";

/** A clock that is off by less is no reason to worry. */
const CLOCK_OFF_US = 3 * SECOND;

/** The machine that records: its disk, its clock, what it worries about. */
export function Machine({ machine }: { machine: Status }) {
  const { words, language } = useWords();
  const { settings } = words;
  const { bytes_used: used, bytes_free: free, bytes_total: total } = machine.storage;
  const share = (n: number) => `${Math.min(100, (n / Math.max(1, total)) * 100)}%`;
  const other = Math.max(0, total - free - used);
  const { value: known } = useResource(cameras);
  // What ails a camera is told in the reader's language; the server's own sentences are English.
  const losing = (known ?? [])
    .map((camera) => ({ camera, condition: conditionOf(camera, words, language, now()) }))
    .filter(({ condition }) => condition.losing)
    .map(({ camera, condition }) => `${camera.name}: ${condition.text}`);
  const others = machine.warnings.filter((w) => w.code !== "camera").map((w) => explain(words, w));
  const warnings = [...losing, ...others];
  const off = Math.abs(machine.now_us - now());
  return (
    <section className="card form">
      <h2>{settings.storage}</h2>
      <div className="disk" aria-hidden="true">
        <div className="disk-recordings" style={{ width: share(used) }} />
        <div className="disk-other" style={{ width: share(other) }} />
      </div>
      <ul className="disk-words">
        <li data-part="recordings">{settings.recordings(bytes(used, language))}</li>
        <li data-part="other">{settings.otherFiles(bytes(other, language))}</li>
        <li data-part="free">{settings.free(bytes(free, language), bytes(total, language))}</li>
      </ul>
      {warnings.length > 0 && (
        <div className="form">
          <h3>{settings.warnings}</h3>
          {warnings.map((text) => (
            <Notice kind="watch" key={text}>
              {text}
            </Notice>
          ))}
        </div>
      )}
      <dl className="facts-wide">
        <div>
          <dt>{settings.clock}</dt>
          <dd>
            {clock(machine.now_us, false)} ({zoneName(machine.now_us, language)})
            {off > CLOCK_OFF_US + 10 * SECOND && (
              <span className="clock-off"> {settings.clockOff(duration(off, language))}</span>
            )}
          </dd>
        </div>
      </dl>
    </section>
  );
}
