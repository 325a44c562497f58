/** What the daemon itself can say about its machine while nobody has run `pleach facts`. */
import { arch, cpus, release, type as systemName } from "node:os";
import type { Host } from "../core/host.ts";
import type { Facts } from "./facts.ts";

/** @param directory - The data directory; its disk is the one that is named. */
export async function hostFacts(host: Host, directory: string, nowMs: number): Promise<Facts> {
  const [memory, disk] = await Promise.all([host.memory(), host.diskSpace(directory)]);
  return {
    collectedAtMs: nowMs,
    hostname: host.hostname(),
    system: systemName(),
    kernel: release(),
    arch: arch(),
    processor: cpus()[0]?.model.trim().slice(0, 128) ?? "",
    cores: cpus().length,
    memoryBytes: memory.totalBytes,
    machine: "",
    virtual: false,
    disks: [{ mount: "data", kind: "", totalBytes: disk.totalBytes }],
  };
}
