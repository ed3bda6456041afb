import { type FormEvent, useEffect, useState } from "react";
import { login } from "../api/calls";
import type { Problem } from "../api/types";
import { navigate } from "../lib/url";
import { explain, useWords } from "../lib/words";
import { Button } from "../ui/button";
import { Field, PasswordField } from "../ui/field";
import { Notice } from "../ui/notice";
import { Frame } from "./frame";

export default function LoginPage({ enter }: { enter: () => void }) {
  const { words } = useWords();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  // The place that somebody wanted is kept for after the log-in.
  useEffect(() => {
    const { pathname, search } = window.location;
    if (pathname === "/login") return;
    const home = pathname === "/" || pathname === "/setup";
    navigate(home ? "/login" : `/login?next=${encodeURIComponent(pathname + search)}`, "replace");
  }, []);
  useEffect(() => {
    document.title = `${words.login.title} · khien`;
  }, [words]);

  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    const result = await login(name.trim(), password);
    setBusy(false);
    if (result.kind === "ok") return enter();
    if (result.kind === "failed") setProblem(result.problem);
    setPassword("");
  };

  return (
    <Frame title={words.login.title}>
      <form className="form" onSubmit={submit}>
        {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
        <Field
          label={words.login.name}
          name="username"
          autoComplete="username"
          autoCapitalize="off"
          required
          value={name}
          onText={setName}
        />
        <PasswordField
          label={words.login.password}
          name="password"
          autoComplete="current-password"
          required
          value={password}
          onText={setPassword}
          show={words.common.showPassword}
          hide={words.common.hidePassword}
        />
        <Button kind="main" type="submit" disabled={busy}>
          {words.login.submit}
        </Button>
      </form>
    </Frame>
  );
}
