/** Processor time of a process and of those that it has started, from /proc. */
import { readdir, readFile } from "node:fs/promises";

/** Of a kernel for Debian: sysconf(_SC_CLK_TCK). */
const TICKS_PER_SECOND = 100;

/** Seconds in user and kernel mode since each of them began; ended children are left out. */
export async function processorSeconds(pid: number): Promise<number> {
  const all = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const name of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    // The name of the program stands in brackets and may hold anything; proc_pid_stat(5).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [parent, user, kernel] = [1, 11, 12].map((index) => Number(fields[index]));
    if (parent === undefined || user === undefined || kernel === undefined) continue;
    all.set(Number(name), { parent, ticks: user + kernel });
  }
  const ticksOf = (each: number): number => {
    let ticks = all.get(each)?.ticks ?? 0;
    for (const [child, { parent }] of all) if (parent === each) ticks += ticksOf(child);
    return ticks;
  };
  return ticksOf(pid) / TICKS_PER_SECOND;
}
