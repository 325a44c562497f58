/** Runs a program to its end and keeps what it printed. */
import { spawn } from "node:child_process";

export interface RunOptions {
  /** Given on standard input, which is empty otherwise. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It is killed after this. Default: 120 s. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

export interface RunResult {
  /** Null when a signal ended it. */
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runProcess(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = spawn(program, args, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    timeout: options.timeoutMs ?? 120_000,
    killSignal: "SIGKILL",
  });
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => (texts[name] += text));
  }
  const exit = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { exit, ...texts };
}
