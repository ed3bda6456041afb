import { type InputHTMLAttributes, type ReactNode, useId, useState } from "react";
import { Button } from "./button";

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> {
  label: string;
  hint?: ReactNode;
  /** What is wrong with it; empty where other words on the page say so. */
  error?: string | undefined;
  onText: (text: string) => void;
}

/** A labelled line of text. */
export function Field({ label, hint, error, onText, ...input }: FieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-more`}
        onChange={(e) => onText(e.target.value)}
        {...input}
      />
      <Below id={`${id}-more`} hint={hint} error={error} />
    </div>
  );
}

function Below({ id, hint, error }: { id: string; hint?: ReactNode; error?: string | undefined }) {
  return (
    <div id={id}>
      {error && <div className="field-error">{error}</div>}
      {hint && <div className="field-hint">{hint}</div>}
    </div>
  );
}

/** A password that can be looked at. */
export function PasswordField({
  label,
  hint,
  error,
  onText,
  show,
  hide,
  ...input
}: FieldProps & { show: string; hide: string }) {
  const id = useId();
  const [open, setOpen] = useState(false);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="field-inside">
        <input
          id={id}
          type={open ? "text" : "password"}
          autoCapitalize="off"
          autoCorrect="off"
          spellCheck={false}
          aria-invalid={error !== undefined}
          aria-describedby={`${id}-more`}
          onChange={(e) => onText(e.target.value)}
          {...input}
        />
        <Button
          kind="quiet"
          icon={open ? "eyeOff" : "eye"}
          label={open ? hide : show}
          aria-pressed={open}
          onClick={() => setOpen(!open)}
        />
      </div>
      <Below id={`${id}-more`} hint={hint} error={error} />
    </div>
  );
}

export interface Option<T extends string> {
  id: T;
  name: string;
}

/** One of a few, all of them visible. */
export function Choice<T extends string>({
  label,
  options,
  value,
  onChoose,
  hideLabel = false,
}: {
  label: string;
  options: readonly Option<T>[];
  value: T;
  onChoose: (id: T) => void;
  hideLabel?: boolean;
}) {
  const name = useId();
  return (
    <fieldset className="field">
      <legend className={hideLabel ? "hidden-text" : "field-label"}>{label}</legend>
      <div>
        <div className="choice">
          {options.map((option) => (
            <label key={option.id}>
              <input
                type="radio"
                name={name}
                value={option.id}
                checked={option.id === value}
                onChange={() => onChoose(option.id)}
              />
              {option.name}
            </label>
          ))}
        </div>
      </div>
    </fieldset>
  );
}

/** One of many. */
export function Select<T extends string>({
  label,
  options,
  value,
  onChoose,
  hideLabel = false,
}: {
  label: string;
  options: readonly Option<T>[];
  value: T;
  onChoose: (id: T) => void;
  hideLabel?: boolean;
}) {
  const id = useId();
  return (
    <div className="field">
      <label className={hideLabel ? "hidden-text" : ""} htmlFor={id}>
        {label}
      </label>
      <select
        id={id}
        value={value}
        onChange={(e) => {
          const found = options.find((o) => o.id === e.target.value);
          if (found) onChoose(found.id);
        }}
      >
        {options.map((option) => (
          <option key={option.id} value={option.id}>
            {option.name}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Check({
  label,
  hint,
  checked,
  onCheck,
}: {
  label: string;
  hint?: string;
  checked: boolean;
  onCheck: (on: boolean) => void;
}) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={(e) => onCheck(e.target.checked)} />
      <span>
        {label}
        {hint && <div className="field-hint">{hint}</div>}
      </span>
    </label>
  );
}
