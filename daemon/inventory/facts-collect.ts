/**
 * Collects facts by a fixed list of calls of systeminformation.
 *
 * It starts other programs, so only the short-lived `pleach facts` loads it, never the daemon.
 * Fields are picked by name: what a new version of the library adds does not get out.
 */
import { hostname } from "node:os";
import { cpu, fsSize, mem, osInfo, system } from "systeminformation";
import type { Facts } from "./facts.ts";

const MAX_TEXT = 128;
const MAX_DISKS = 16;

/** @param nowMs - Wall time, kept as the age of the facts. */
export async function collectFacts(nowMs: number): Promise<Facts> {
  const [os, processor, memory, machine, mounts] = await Promise.all([
    osInfo(),
    cpu(),
    mem(),
    system(),
    fsSize(),
  ]);
  return {
    collectedAtMs: nowMs,
    hostname: cut(hostname()),
    system: cut(`${os.distro} ${os.release}`),
    kernel: cut(os.kernel),
    arch: cut(os.arch),
    processor: cut(`${processor.manufacturer} ${processor.brand}`),
    cores: processor.cores,
    memoryBytes: memory.total,
    machine: cut(`${machine.manufacturer} ${machine.model}`),
    // What names the machine may be for root only; the flag of the processor is for all.
    virtual: machine.virtual === true || /\bhypervisor\b/.test(processor.flags),
    disks: mounts
      .filter(({ size }) => Number.isSafeInteger(size) && size > 0)
      .slice(0, MAX_DISKS)
      .map(({ mount, type, size }) => ({ mount: cut(mount), kind: cut(type), totalBytes: size })),
  };
}

function cut(text: string): string {
  return text.trim().slice(0, MAX_TEXT);
}
