import { type FormEvent, useState } from "react";
import { changePassword } from "../api/calls";
import type { Problem } from "../api/types";
import { goodPassword, passwordRules, progress } from "../lib/password";
import { explain, useWords } from "../lib/words";
import { Button } from "../ui/button";
import { PasswordField } from "../ui/field";
import { Notice } from "../ui/notice";
import { RuleList } from "../ui/rules";

/** One's own password: closed until it is wanted. */
export function Password({ name }: { name: string }) {
  const { words } = useWords();
  const { settings } = words;
  const [open, setOpen] = useState(false);
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [done, setDone] = useState(false);
  const rules = passwordRules(fresh);
  const close = () => {
    setOpen(false);
    setOld("");
    setFresh("");
    setProblem(undefined);
  };
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    const result = await changePassword(old, fresh);
    setBusy(false);
    if (result.kind === "failed") return setProblem(result.problem);
    close();
    setDone(true);
  };
  if (!open) {
    return (
      <>
        {done && <Notice kind="good">{settings.changed}</Notice>}
        <div>
          <Button
            onClick={() => {
              setDone(false);
              setOpen(true);
            }}
          >
            {settings.password}
          </Button>
        </div>
      </>
    );
  }
  return (
    <form className="form" onSubmit={submit}>
      <h3>{settings.password}</h3>
      {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
      <input
        className="hidden-text"
        name="username"
        autoComplete="username"
        value={name}
        readOnly
        tabIndex={-1}
        aria-hidden="true"
      />
      <PasswordField
        label={settings.oldPassword}
        name="old-password"
        autoComplete="current-password"
        autoFocus
        required
        value={old}
        onText={setOld}
        show={words.common.showPassword}
        hide={words.common.hidePassword}
      />
      <PasswordField
        label={settings.newPassword}
        name="new-password"
        autoComplete="new-password"
        required
        value={fresh}
        onText={setFresh}
        hint={<RuleList met={rules} done={progress(fresh)} words={words.password} />}
        show={words.common.showPassword}
        hide={words.common.hidePassword}
      />
      <div className="row">
        <Button kind="main" type="submit" disabled={busy || old === "" || !goodPassword(rules)}>
          {settings.change}
        </Button>
        <Button kind="quiet" onClick={close}>
          {words.common.cancel}
        </Button>
      </div>
    </form>
  );
}
