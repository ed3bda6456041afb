// Starts khien's own programs for a test and ends them again.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const START_MS = 30_000;

/** The program that `cargo build` made. */
export function khien() {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  const path = process.env.KHIEN_BIN ?? join(target, "debug", "khien");
  if (!existsSync(path))
    throw new Error(`${path} is not there: cargo build --bins -p khien -p pixels`);
  return path;
}

export class Program {
  constructor(name, args) {
    this.name = name;
    this.text = "";
    this.child = spawn(khien(), args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    this.ended = new Promise((done) => this.child.once("exit", (code) => done(code)));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        this.text += text;
      });
    }
    this.child.once("error", (e) => {
      this.text += String(e);
    });
  }

  /** The first group of a pattern in what the program prints, once it is there. */
  async says(pattern) {
    for (const end = Date.now() + START_MS; Date.now() < end; ) {
      const found = pattern.exec(this.text);
      if (found) return found[1] ?? found[0];
      if (this.child.exitCode !== null) break;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`${this.name} did not say ${pattern}:\n${this.tail()}`);
  }

  tail() {
    return this.text.split("\n").slice(-30).join("\n");
  }

  /** Asks it to end, and insists after five seconds. */
  async end() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.ended;
    this.child.kill("SIGTERM");
    const insist = setTimeout(() => this.child.kill("SIGKILL"), 5000);
    const code = await this.ended;
    clearTimeout(insist);
    return code;
  }
}
