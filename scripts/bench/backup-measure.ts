/** Runs one command and measures it from its start to its exit. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { runProcess } from "../../test-mesh/run-process.ts";

/** Larger data than the default takes long, but nothing may hang for ever. */
const TIMEOUT_MS = 3 * 60 * 60_000;

export interface CommandLine {
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Measured {
  readonly seconds: number;
  /** Of the command alone, user and system. */
  readonly cpuSeconds: number;
  /** The most memory the process ever had resident, shared pages included. */
  readonly peakBytes: number;
}

/**
 * GNU time asks the kernel for the peak when the process has ended, so no moment is missed.
 *
 * @param scratch - A directory for its answer.
 * @throws Error with what the command printed when it ends with another code than 0.
 */
export async function measure(command: CommandLine, scratch: string): Promise<Measured> {
  const answer = join(scratch, "time.tmp");
  const fromMs = performance.now();
  await run({
    ...command,
    words: ["/usr/bin/time", "-f", "%M %U %S", "-o", answer, ...command.words],
  });
  const seconds = (performance.now() - fromMs) / 1000;
  const [peakKib = "", user = "", system = ""] = (await readFile(answer, "utf8")).split(" ");
  await rm(answer);
  const cpuSeconds = Number(user) + Number(system);
  return { seconds, cpuSeconds, peakBytes: Number(peakKib) * 1024 };
}

/** Runs a command that is not measured. @returns What it printed on standard output. */
export async function run({ words, env, cwd }: CommandLine): Promise<string> {
  const [program = "", ...args] = words;
  const options = { timeoutMs: TIMEOUT_MS, ...(env && { env }), ...(cwd && { cwd }) };
  const { exit, stdout, stderr } = await runProcess(program, args, options);
  if (exit === 0) return stdout;
  throw new Error(`${words.join(" ")}: exit ${exit}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`);
}
