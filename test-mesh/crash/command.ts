/** A program that is under way and may be stopped or killed at any moment. */
import { spawn, type ChildProcess } from "node:child_process";
import type { RunResult } from "../run-process.ts";

export class RunningCommand {
  readonly #child: ChildProcess;
  /** Never rejects. `exit` is null when a signal ended it. */
  readonly done: Promise<RunResult>;

  constructor(program: string, args: readonly string[]) {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8");
      child[name].on("data", (text: string) => (texts[name] += text));
    }
    this.done = new Promise((resolve) => {
      child.once("error", (error) => resolve({ exit: null, stdout: "", stderr: String(error) }));
      child.once("close", (exit) => resolve({ exit, ...texts }));
    });
  }

  /** It does nothing more, and does not know. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  async kill(): Promise<RunResult> {
    this.#child.kill("SIGKILL");
    return this.done;
  }
}
