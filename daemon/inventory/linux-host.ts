/**
 * The host seam on Linux: reads /proc and statfs, executes nothing.
 */
import { readFile, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import type { DiskSpace, Host } from "../core/host.ts";

export class LinuxHost implements Host {
  hostname(): string {
    return hostname();
  }

  async bootId(): Promise<string> {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  }

  async diskSpace(path: string): Promise<DiskSpace> {
    const { bsize, blocks, bavail } = await statfs(path);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  }

  async memory(): Promise<{ readonly totalBytes: number; readonly availableBytes: number }> {
    const text = await readFile("/proc/meminfo", "utf8");
    return {
      totalBytes: meminfoBytes(text, "MemTotal"),
      availableBytes: meminfoBytes(text, "MemAvailable"),
    };
  }

  async load(): Promise<readonly [number, number, number]> {
    const [one, five, fifteen] = numbers(await readFile("/proc/loadavg", "utf8"));
    return [one ?? 0, five ?? 0, fifteen ?? 0];
  }

  async uptimeSeconds(): Promise<number> {
    return numbers(await readFile("/proc/uptime", "utf8"))[0] ?? 0;
  }
}

/** @throws Error when the kernel does not say, which no Linux since 3.14 does. */
function meminfoBytes(text: string, name: string): number {
  const [, kibibytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text) ?? [];
  if (kibibytes === undefined) throw new Error(`/proc/meminfo has no ${name}`);
  return Number(kibibytes) * 1024;
}

function numbers(text: string): number[] {
  return text.trim().split(/\s+/).map(Number);
}
