/** Which files a process names to the kernel, by `strace`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";

/** Every call that takes a path, with the folder of each descriptor; works below a user's root. */
const OPTIONS = ["-f", "-y", "-e", "trace=%file,open_by_handle_at"];

export interface Trace {
  /** Ends the trace; the process goes on. @returns A call a line. */
  end(): Promise<readonly string[]>;
}

/**
 * Attaches to all threads of a process, those to come included.
 *
 * @throws Error, at the end, when the process can open files unseen.
 */
export async function traceFiles(pid: number, file: string): Promise<Trace> {
  const tracer = spawn("strace", [...OPTIONS, "-p", String(pid), "-o", file]);
  const over = once(tracer, "close");
  let said = "";
  tracer.stderr.setEncoding("utf8");
  await new Promise<void>((resolve, reject) => {
    tracer.once("error", reject);
    tracer.stderr.on("data", (text: string) => {
      said += text;
      if (said.includes("attached")) resolve();
    });
    tracer.once("close", () => reject(new Error(`strace ended: ${said}`)));
  });
  return {
    end: async () => {
      const hidden = await hasHiddenCalls(pid);
      tracer.kill("SIGINT");
      await over;
      if (hidden) throw new Error(`process ${pid} may open files that strace does not show`);
      return linesOf(file);
    },
  };
}

/** Words before a command that is to be traced from its start; see {@link linesOf}. */
export function tracing(file: string): readonly [string, ...string[]] {
  return ["strace", ...OPTIONS, "--seccomp-bpf", "-o", file];
}

export async function linesOf(file: string): Promise<readonly string[]> {
  return (await readFile(file, "utf8")).split("\n");
}

/**
 * Whether the kernel may do file calls of the process that no trace shows: libuv gives those to an
 * io_uring with a thread in the kernel only. Its other rings are for epoll.
 */
async function hasHiddenCalls(pid: number): Promise<boolean> {
  const folder = `/proc/${pid}/fdinfo`;
  const facts = (await readdir(folder)).map((fd) => readFile(`${folder}/${fd}`, "utf8"));
  const settled = await Promise.allSettled(facts);
  return settled.some((fact) => fact.status === "fulfilled" && /^SqThread:\s*\d/m.test(fact.value));
}
