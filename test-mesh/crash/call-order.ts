/**
 * The system calls of a process in their order, as `strace -f -y` writes them down: when each began
 * and when it had ended, counted in lines.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";

export interface SystemCall {
  readonly name: string;
  /** As strace shows them; descriptors have their path behind them. */
  readonly args: string;
  readonly began: number;
  readonly ended: number;
}

const WRITES = "write,writev,pwrite64,ftruncate,sendto,sendmsg";
const NAMES = "rename,renameat,renameat2,mkdir,mkdirat,link,linkat";
const OPTIONS = ["-f", "-y", "-s", "400", "-e", `trace=${WRITES},${NAMES},fsync,fdatasync`];

/** Traces a process while `act` runs. @param file - For strace; is made. */
export async function traceCalls(
  pid: number,
  file: string,
  act: () => Promise<void>,
): Promise<readonly SystemCall[]> {
  const tracer = spawn("strace", [...OPTIONS, "-p", String(pid), "-o", file]);
  const over = once(tracer, "close");
  tracer.stderr.setEncoding("utf8");
  let said = "";
  await new Promise<void>((resolve, reject) => {
    tracer.once("error", reject);
    tracer.once("close", () => reject(new Error(`strace ended: ${said}`)));
    tracer.stderr.on("data", (text: string) => {
      said += text;
      if (said.includes("attached")) resolve();
    });
  });
  try {
    await act();
  } finally {
    tracer.kill("SIGINT");
    await over;
  }
  return parseCalls(await readFile(file, "utf8"));
}

/** Those that succeeded. A call that another thread's line cuts in two is put together again. */
export function parseCalls(text: string): readonly SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, { readonly begin: string; readonly began: number }>();
  for (const [at, line] of text.split("\n").entries()) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (thread === undefined || rest === undefined) continue;
    const cut = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    if (cut?.[1] !== undefined) {
      open.set(thread, { begin: cut[1], began: at });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const before = resumed === null ? undefined : open.get(thread);
    const whole = resumed === null ? rest : `${before?.begin ?? ""}${resumed[1] ?? ""}`;
    const [, name, args] = /^(\w+)\((.*)\) += \d/.exec(whole) ?? [];
    if (name === undefined || args === undefined) continue;
    calls.push({ name, args, began: before?.began ?? at, ended: at });
  }
  return calls;
}
