import { useState } from "react";
import { chooseTheme, chosenTheme, type Theme } from "../lib/theme";
import { useWords } from "../lib/words";
import { Choice } from "../ui/field";

const THEMES: readonly Theme[] = ["system", "dark", "light"];

export function Appearance() {
  const { words } = useWords();
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <Choice
      label={words.settings.theme}
      options={THEMES.map((id) => ({ id, name: words.settings.themes[id] }))}
      value={theme}
      onChoose={(next) => {
        chooseTheme(next);
        setTheme(next);
      }}
    />
  );
}
