import { useWords } from "../lib/words";
import { Choice, Field, PasswordField } from "../ui/field";
import type { Part, Typed } from "./address";

/** Where a camera is and how to get in: when it is added and when it is changed. */
export function AddressFields({
  typed,
  change,
  wrong,
  first = false,
  kept = false,
}: {
  typed: Typed;
  change: (next: Partial<Typed>) => void;
  /** The part that the last problem is about. */
  wrong: Part;
  /** The first thing that is typed on this page. */
  first?: boolean;
  /** A password is kept already. */
  kept?: boolean;
}) {
  const { words } = useWords();
  return (
    <>
      <Field
        label={words.add.address}
        hint={words.add.addressHint}
        error={wrong === "url" ? "" : undefined}
        name="camera-address"
        inputMode="url"
        autoComplete="off"
        autoCapitalize="off"
        autoCorrect="off"
        spellCheck={false}
        autoFocus={first}
        required
        value={typed.url}
        onText={(url) => change({ url })}
      />
      <div className="pair">
        <Field
          label={words.add.user}
          error={wrong === "access" ? "" : undefined}
          name="camera-user"
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          value={typed.user}
          onText={(user) => change({ user })}
        />
        <PasswordField
          label={kept ? words.cameras.newPassword : words.add.password}
          hint={kept ? words.cameras.keepPassword : undefined}
          error={wrong === "access" ? "" : undefined}
          name="camera-password"
          autoComplete="off"
          value={typed.password}
          onText={(password) => change({ password })}
          show={words.common.showPassword}
          hide={words.common.hidePassword}
        />
      </div>
      <Choice
        label={words.add.transport}
        options={[
          { id: "tcp", name: words.add.tcp },
          { id: "udp", name: words.add.udp },
        ]}
        value={typed.transport}
        onChoose={(transport) => change({ transport })}
      />
    </>
  );
}
