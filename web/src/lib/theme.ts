// Dark or light: the person's choice, else the system's.
import { keep, recall } from "./keep";

export type Theme = "system" | "dark" | "light";

const light = () => window.matchMedia("(prefers-color-scheme: light)");

export function chosenTheme(): Theme {
  const text = recall("theme");
  return text === "dark" || text === "light" ? text : "system";
}

/** Applies the choice; call once at the start and after a change. */
export function applyTheme(theme: Theme = chosenTheme()): void {
  const shown = theme === "system" ? (light().matches ? "light" : "dark") : theme;
  document.documentElement.dataset.theme = shown;
  const colour = shown === "light" ? "#f4f7f6" : "#101312";
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", colour);
}

export function chooseTheme(theme: Theme): void {
  keep("theme", theme);
  applyTheme(theme);
}

export function followSystem(): void {
  light().addEventListener("change", () => applyTheme());
}
