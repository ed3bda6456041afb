import { type FormEvent, useState } from "react";
import { addUser, removeUser, users as resource, setUserPassword } from "../api/calls";
import { useResource } from "../api/resource";
import type { Me, Problem, Role, User } from "../api/types";
import { goodPassword, passwordRules, progress } from "../lib/password";
import { explain, useWords } from "../lib/words";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Choice, Field, PasswordField } from "../ui/field";
import { Notice } from "../ui/notice";
import { RuleList } from "../ui/rules";

type Open =
  | { kind: "add" }
  | { kind: "remove"; user: User }
  | { kind: "password"; user: User }
  | undefined;

/** Who may look, and who may change things. */
export function People({ me }: { me: Me }) {
  const { words } = useWords();
  const { settings } = words;
  const { value, problem } = useResource(resource);
  const [open, setOpen] = useState<Open>();
  const [done, setDone] = useState<string>();
  const close = () => setOpen(undefined);
  const show = (next: Open) => {
    setDone(undefined);
    setOpen(next);
  };
  return (
    <section className="card form">
      <div className="section-head">
        <div>
          <h2>{settings.users}</h2>
          <p className="soft">{settings.usersHint}</p>
        </div>
        <Button icon="add" onClick={() => show({ kind: "add" })}>
          {settings.addUser}
        </Button>
      </div>
      {done && <Notice kind="good">{done}</Notice>}
      {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
      <ul className="people">
        {value?.map((user) => (
          <li key={user.name}>
            <span className="person">
              <strong>{user.name}</strong>
              <span className="soft">
                {settings.roles[user.role]}
                {user.name === me.name && ` · ${settings.you}`}
              </span>
            </span>
            {user.name !== me.name && (
              <span className="row">
                <Button
                  kind="quiet"
                  icon="key"
                  label={settings.setPassword(user.name)}
                  onClick={() => show({ kind: "password", user })}
                />
                <Button
                  kind="quiet"
                  icon="close"
                  label={settings.removeUser(user.name)}
                  onClick={() => show({ kind: "remove", user })}
                />
              </span>
            )}
          </li>
        ))}
      </ul>
      {open?.kind === "add" && (
        <AddPerson
          close={close}
          added={(name) => {
            close();
            setDone(settings.added(name));
            void resource.refresh();
          }}
        />
      )}
      {open?.kind === "password" && (
        <NewPassword
          user={open.user}
          close={close}
          set={() => {
            close();
            setDone(settings.passwordSet(open.user.name));
          }}
        />
      )}
      {open?.kind === "remove" && <RemovePerson user={open.user} close={close} />}
    </section>
  );
}

function AddPerson({ close, added }: { close: () => void; added: (name: string) => void }) {
  const { words, language } = useWords();
  const { settings } = words;
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    const result = await addUser({ name: name.trim(), password, role, language });
    setBusy(false);
    if (result.kind === "failed") setProblem(result.problem);
    else added(name.trim());
  };
  return (
    <Dialog title={settings.addUser} onClose={close}>
      <form className="form" onSubmit={submit}>
        {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
        <Field
          label={settings.userName}
          name="person-name"
          autoComplete="off"
          autoCapitalize="off"
          required
          value={name}
          onText={setName}
        />
        <Secret value={password} set={setPassword} />
        <Choice
          label={settings.role}
          options={(["viewer", "owner"] as const).map((id) => ({ id, name: settings.roles[id] }))}
          value={role}
          onChoose={setRole}
        />
        <div className="row" data-end>
          <Button kind="quiet" onClick={close}>
            {words.common.cancel}
          </Button>
          <Button
            kind="main"
            type="submit"
            disabled={busy || name.trim() === "" || !goodPassword(passwordRules(password))}
          >
            {words.common.add}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function NewPassword({ user, close, set }: { user: User; close: () => void; set: () => void }) {
  const { words } = useWords();
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    const result = await setUserPassword(user.name, password);
    setBusy(false);
    if (result.kind === "failed") setProblem(result.problem);
    else set();
  };
  return (
    <Dialog title={words.settings.setPassword(user.name)} onClose={close}>
      <form className="form" onSubmit={submit}>
        <p>{words.settings.setPasswordText(user.name)}</p>
        {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
        <Secret value={password} set={setPassword} />
        <div className="row" data-end>
          <Button kind="quiet" onClick={close}>
            {words.common.cancel}
          </Button>
          <Button
            kind="main"
            type="submit"
            disabled={busy || !goodPassword(passwordRules(password))}
          >
            {words.common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A new password for somebody else. */
function Secret({ value, set }: { value: string; set: (text: string) => void }) {
  const { words } = useWords();
  return (
    <PasswordField
      label={words.settings.newPassword}
      name="person-password"
      autoComplete="new-password"
      required
      value={value}
      onText={set}
      hint={<RuleList met={passwordRules(value)} done={progress(value)} words={words.password} />}
      show={words.common.showPassword}
      hide={words.common.hidePassword}
    />
  );
}

function RemovePerson({ user, close }: { user: User; close: () => void }) {
  const { words } = useWords();
  const { settings } = words;
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const remove = async () => {
    setBusy(true);
    const result = await removeUser(user.name);
    setBusy(false);
    if (result.kind === "failed") return setProblem(result.problem);
    void resource.refresh();
    close();
  };
  return (
    <Dialog title={settings.removeUserTitle(user.name)} onClose={close}>
      <p>{settings.removeUserText(user.name)}</p>
      {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
      <div className="row" data-end>
        <Button kind="quiet" onClick={close}>
          {words.common.cancel}
        </Button>
        <Button kind="danger" disabled={busy} onClick={() => void remove()}>
          {words.common.remove}
        </Button>
      </div>
    </Dialog>
  );
}
