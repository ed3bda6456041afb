import { Icon } from "./icon";

interface Words {
  ruleLong: string;
  ruleMixed: string;
  ruleVaried: string;
  met: string;
  notMet: string;
  strength: string;
}

interface Met {
  long: boolean;
  mixed: boolean;
  varied: boolean;
}

/** Which rules a new password meets while it is typed. */
export function RuleList({ met, done, words }: { met: Met; done: number; words: Words }) {
  const rules: [string, boolean][] = [
    [words.ruleLong, met.long],
    [words.ruleMixed, met.mixed],
    [words.ruleVaried, met.varied],
  ];
  return (
    <>
      <div className="meter" aria-hidden="true">
        <div data-good={done === 1} style={{ width: `${Math.round(done * 100)}%` }} />
      </div>
      <ul className="rules" aria-label={words.strength}>
        {rules.map(([text, ok]) => (
          <li key={text} data-met={ok}>
            <span className="rule-mark">{ok ? <Icon name="check" size={14} /> : "·"}</span>
            <span>
              {text}
              <span className="hidden-text"> ({ok ? words.met : words.notMet})</span>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
