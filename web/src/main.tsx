import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { applyTheme, followSystem } from "./lib/theme";
import { Speaking } from "./lib/words";
import "./ui/tokens.css";
import "./ui/base.css";
import "./ui/ui.css";
import "./app.css";

applyTheme();
followSystem();

const root = document.getElementById("root");
if (!root) throw new Error("the page has no root");
createRoot(root).render(
  <StrictMode>
    <Speaking>
      <App />
    </Speaking>
  </StrictMode>,
);
