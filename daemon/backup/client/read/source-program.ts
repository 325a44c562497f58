/**
 * Runs the programs of a data set: the one that makes files ready before a run, and the one whose
 * output is backed up.
 *
 * Such a program may hang, fail, talk without end or leave children behind. It gets an own process
 * group, which is ended as a whole when its time is over or the command is interrupted; of what it
 * says on standard error only the end is kept; its environment is ours alone.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { BackupError } from "../error.ts";
import { checkTrusted } from "./trusted-program.ts";

/** After SIGTERM; then comes SIGKILL. */
const GRACE_MS = 2000;
/** Children that live on may keep standard error open: it is not waited for longer. */
const LINGER_MS = 1000;
const KEPT_WORDS_BYTES = 4096;
const SHOWN_WORDS = 300;
const SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface ProgramPlan {
  /** Program, absolute, and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** It is ended after this, and the run fails. */
  readonly limitMs: number;
  /** Beside a search path, a home and a language. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Runs a program to its end; what it prints is not wanted.
 *
 * @throws BackupError E-BACKUP-HOOK when it fails or takes too long, E-BACKUP-UNSAFE when others
 *   could have changed it.
 */
export async function runProgram(plan: ProgramPlan): Promise<void> {
  const running = new RunningProgram(plan, "ignore");
  await running.end();
}

/**
 * What a program prints, until nobody can print any more. Throws after the last byte when the
 * program then fails.
 *
 * @throws BackupError as {@link runProgram}.
 */
export async function* outputOf(plan: ProgramPlan): AsyncGenerator<Uint8Array> {
  const running = new RunningProgram(plan, "pipe");
  try {
    yield* running.output();
    await running.end();
  } finally {
    // Whoever reads may have given up.
    await running.stop();
  }
}

class RunningProgram {
  readonly #plan: ProgramPlan;
  readonly #child: ChildProcess;
  /** It has ended, or could not be ended. */
  readonly #over = Promise.withResolvers<void>();
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#interrupted(signal);
  readonly #limit: NodeJS.Timeout;
  #words = Buffer.alloc(0);
  #fault: Error | undefined;
  #isLate = false;
  #hasEnded = false;

  constructor(plan: ProgramPlan, stdout: "ignore" | "pipe") {
    this.#plan = plan;
    const [program, ...args] = plan.command;
    checkTrusted(program, "program");
    const { TZ, LANG } = process.env;
    this.#child = spawn(program, args, {
      stdio: ["ignore", stdout, "pipe"],
      cwd: "/",
      detached: true,
      env: {
        ...{ PATH: SEARCHED, HOME: userInfo().homedir, LANG: LANG ?? "C.UTF-8" },
        ...(TZ === undefined ? {} : { TZ }),
        ...plan.env,
      },
    });
    this.#child.once("exit", () => this.#ended());
    this.#child.once("error", (error) => {
      this.#fault = error;
      this.#ended();
    });
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      this.#words = Buffer.concat([this.#words, bytes]).subarray(-KEPT_WORDS_BYTES);
    });
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    this.#limit = setTimeout(() => {
      this.#isLate = true;
      void this.stop();
    }, plan.limitMs);
  }

  async *output(): AsyncGenerator<Uint8Array> {
    const { stdout } = this.#child;
    if (stdout === null) throw new RangeError("started without a pipe");
    try {
      yield* stdout as AsyncIterable<Uint8Array>;
    } catch (error) {
      // The pipe was closed on our side, which `end` explains.
      if (!this.#isLate) throw error;
    }
  }

  /** Waits for the end. @throws BackupError when it was not a good one. */
  async end(): Promise<void> {
    await this.#over.promise;
    this.#forget();
    const { stderr, exitCode, signalCode } = this.#child;
    if (stderr !== null && !stderr.closed) {
      await Promise.race([once(stderr, "close"), sleep(LINGER_MS, undefined, { ref: false })]);
      stderr.destroy();
    }
    if (exitCode === 0 && !this.#isLate && this.#fault === undefined) return;
    throw this.#failure(exitCode, signalCode);
  }

  /** Ends what still runs of it. */
  async stop(): Promise<void> {
    const { stdout } = this.#child;
    const isQuiet = stdout === null || stdout.closed;
    if (!(this.#hasEnded && isQuiet)) {
      this.#signalAll("SIGTERM");
      const quiet = isQuiet ? undefined : once(stdout, "close");
      const gone = Promise.all([this.#over.promise, quiet]);
      await Promise.race([gone, sleep(GRACE_MS, undefined, { ref: false })]);
      this.#signalAll("SIGKILL");
      await Promise.race([this.#over.promise, sleep(LINGER_MS, undefined, { ref: false })]);
    }
    stdout?.destroy();
    this.#over.resolve();
    this.#forget();
  }

  #ended(): void {
    this.#hasEnded = true;
    this.#over.resolve();
  }

  #forget(): void {
    clearTimeout(this.#limit);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  #interrupted(signal: NodeJS.Signals): void {
    this.#signalAll("SIGTERM");
    this.#forget();
    process.kill(process.pid, signal);
  }

  #signalAll(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The last of the group is gone.
    }
  }

  #failure(exitCode: number | null, signalCode: string | null): BackupError {
    const { command, limitMs } = this.#plan;
    const [program] = command;
    const ended = exitCode === null ? `was ended by ${signalCode}` : `ended with ${exitCode}`;
    const how = this.#isLate
      ? `took longer than ${limitMs / 1000} s and was ended`
      : (this.#fault?.message ?? ended);
    const said = lastLine(this.#words);
    const words = said === "" ? "" : `; its last words: ${said}`;
    return new BackupError("E-BACKUP-HOOK", `${program} ${how}${words}`, {
      changed: "There is no new snapshot. What was stored so far need not be sent again.",
      hint: `Run it by hand:  ${command.join(" ")}`,
      ...(this.#fault === undefined ? {} : { cause: this.#fault }),
    });
  }
}

function lastLine(words: Uint8Array): string {
  const text = Buffer.from(words).toString("utf8");
  return text.trim().split("\n").at(-1)?.slice(-SHOWN_WORDS) ?? "";
}
