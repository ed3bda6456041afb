import type { AnchorHTMLAttributes, ButtonHTMLAttributes, MouseEvent, ReactNode } from "react";
import { Icon, type IconName } from "./icon";

type Kind = "plain" | "main" | "danger" | "quiet";

interface Look {
  kind?: Kind;
  icon?: IconName;
  /** With an icon and no children: what the button is called. */
  label?: string;
  children?: ReactNode;
}

const inside = ({ icon, children }: Look) => (
  <>
    {icon && <Icon name={icon} />}
    {children}
  </>
);

const looks = ({ kind = "plain", icon, label, children }: Look) => ({
  className: "button",
  "data-kind": kind,
  "data-icon": icon && !children ? "" : undefined,
  "aria-label": label,
  title: children ? undefined : label,
});

export function Button({
  kind,
  icon,
  label,
  children,
  type = "button",
  ...rest
}: Look & ButtonHTMLAttributes<HTMLButtonElement>) {
  const look = { kind, icon, label, children };
  return (
    <button type={type} {...looks(look)} {...rest}>
      {inside(look)}
    </button>
  );
}

/** A link that looks like a button; `go` keeps it inside the page. */
export function LinkButton({
  kind,
  icon,
  label,
  children,
  href,
  go,
  ...rest
}: Look & AnchorHTMLAttributes<HTMLAnchorElement> & { href: string; go?: (to: string) => void }) {
  const look = { kind, icon, label, children };
  return (
    <a href={href} {...looks(look)} onClick={go && inPage(href, go)} {...rest}>
      {inside(look)}
    </a>
  );
}

/** A plain link inside the page. */
export function Link({
  href,
  go,
  children,
  ...rest
}: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string; go: (to: string) => void }) {
  return (
    <a href={href} onClick={inPage(href, go)} {...rest}>
      {children}
    </a>
  );
}

/** Lets the browser do what it does with new tabs and downloads. */
function inPage(href: string, go: (to: string) => void) {
  return (e: MouseEvent) => {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey)
      return;
    e.preventDefault();
    go(href);
  };
}
