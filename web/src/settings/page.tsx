// The person, the people, the machine.
import { caUrl, logout, setLanguage, status } from "../api/calls";
import { useResource } from "../api/resource";
import type { Me } from "../api/types";
import { LANGUAGES, type Language, useWords } from "../lib/words";
import { Button, LinkButton } from "../ui/button";
import { Choice } from "../ui/field";
import { Appearance } from "./appearance";
import { Machine } from "./machine";
import { Password } from "./password";
import { People } from "./people";
import "./settings.css";

export default function SettingsPage({ me, left }: { me: Me; left: () => void }) {
  const { words, language, speak } = useWords();
  const { settings } = words;
  const { value: machine } = useResource(status);
  const choose = (next: Language) => {
    speak(next);
    // For the next browser of this person; this one has it already.
    void setLanguage(next);
  };
  const leave = async () => {
    await logout();
    left();
  };
  return (
    <div className="page page-narrow">
      <header className="page-head">
        <h1>{settings.title}</h1>
      </header>
      <section className="card form">
        <Choice label={settings.language} options={LANGUAGES} value={language} onChoose={choose} />
        <Appearance />
      </section>
      <section className="card form">
        <div className="section-head">
          <div>
            <h2>{settings.account}</h2>
            <p className="soft">
              {settings.signedInAs(me.name)} · {settings.roles[me.role]}
            </p>
          </div>
          <Button icon="out" onClick={() => void leave()}>
            {words.login.out}
          </Button>
        </div>
        <Password name={me.name} />
      </section>
      {me.role === "owner" && <People me={me} />}
      {machine && <Machine machine={machine} />}
      {window.location.protocol === "https:" && (
        <section className="card form">
          <h2>{settings.certificate}</h2>
          <p>{settings.certificateText}</p>
          <div>
            <LinkButton href={caUrl} icon="download" download="khien-ca.pem">
              {settings.certificateGet}
            </LinkButton>
          </div>
        </section>
      )}
      <section className="card form">
        <h2>{settings.about}</h2>
        <dl className="facts-wide">
          <div>
            <dt>{settings.version}</dt>
            <dd>khien {machine?.version ?? "–"}</dd>
          </div>
          <div>
            <dt>{settings.support}</dt>
            <dd>{settings.supportText}</dd>
          </div>
          <div>
            <dt>{settings.licence}</dt>
            <dd>MIT OR Apache-2.0</dd>
          </div>
        </dl>
      </section>
    </div>
  );
}
