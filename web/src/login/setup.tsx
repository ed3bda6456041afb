import { type FormEvent, useEffect, useState } from "react";
import { setup } from "../api/calls";
import type { Problem } from "../api/types";
import { goodPassword, passwordRules, progress } from "../lib/password";
import { explain, useWords } from "../lib/words";
import { Button } from "../ui/button";
import { Field, PasswordField } from "../ui/field";
import { Notice } from "../ui/notice";
import { RuleList } from "../ui/rules";
import { Frame } from "./frame";

/** The first person makes the owner's account with the link that khien printed. */
export default function SetupPage({ token, enter }: { token: string | null; enter: () => void }) {
  const { words, language } = useWords();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const rules = passwordRules(password);
  useEffect(() => {
    document.title = "khien";
  }, []);

  if (!token) {
    return (
      <Frame title={words.setup.needed}>
        <p>{words.setup.neededText}</p>
      </Frame>
    );
  }

  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    const result = await setup({ token, name: name.trim(), password, language });
    setBusy(false);
    if (result.kind === "ok") return enter();
    if (result.kind !== "failed") return;
    // Somebody was faster: there is an account to log in with.
    if (result.problem.status === 410) return enter();
    setProblem(result.problem);
  };

  return (
    <Frame title={words.setup.title} lead={words.setup.lead}>
      <form className="form" onSubmit={submit}>
        {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
        <Field
          label={words.setup.name}
          hint={words.setup.nameHint}
          name="username"
          autoComplete="username"
          autoCapitalize="off"
          required
          value={name}
          onText={setName}
        />
        <PasswordField
          label={words.setup.password}
          name="password"
          autoComplete="new-password"
          required
          value={password}
          onText={setPassword}
          hint={<RuleList met={rules} done={progress(password)} words={words.password} />}
          show={words.common.showPassword}
          hide={words.common.hidePassword}
        />
        <Button
          kind="main"
          type="submit"
          disabled={busy || name.trim() === "" || !goodPassword(rules)}
        >
          {words.setup.submit}
        </Button>
      </form>
    </Frame>
  );
}
