import type { ReactNode } from "react";
import { Icon, type IconName } from "./icon";

type Kind = "plain" | "good" | "watch" | "loss";

const ICONS: Record<Kind, IconName> = {
  plain: "info",
  good: "check",
  watch: "warning",
  loss: "stop",
};

/** Something to read now; `loss` and `watch` are read out at once. */
export function Notice({ kind = "plain", children }: { kind?: Kind; children: ReactNode }) {
  return (
    <div className="notice" data-kind={kind} role={kind === "loss" ? "alert" : "status"}>
      <Icon name={ICONS[kind]} />
      <div>{children}</div>
    </div>
  );
}

/** A page without content says the next step. */
export function Empty({
  icon,
  title,
  text,
  children,
}: {
  icon: IconName;
  title: string;
  text?: string;
  children?: ReactNode;
}) {
  return (
    <div className="empty">
      <Icon name={icon} size={40} />
      <h2>{title}</h2>
      {text && <p>{text}</p>}
      {children}
    </div>
  );
}

export function Waiting({ label }: { label: string }) {
  return (
    <div className="wait-page" role="status">
      <div className="wait" />
      <span className="hidden-text">{label}</span>
    </div>
  );
}
