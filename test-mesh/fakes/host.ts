/** A machine whose disk and memory a test sets by hand. */
import type { DiskSpace, Host } from "../../daemon/core/host.ts";

export class FakeHost implements Host {
  disk: DiskSpace = { totalBytes: 100 * 2 ** 30, freeBytes: 50 * 2 ** 30 };

  hostname(): string {
    return "fake";
  }

  async bootId(): Promise<string> {
    return "00000000-0000-4000-8000-000000000001";
  }

  /** @throws Error for a path that is not absolute, as one that is not there. */
  async diskSpace(path: string): Promise<DiskSpace> {
    if (!path.startsWith("/")) throw new Error(`no such path: ${path}`);
    return this.disk;
  }

  async memory(): Promise<{ readonly totalBytes: number; readonly availableBytes: number }> {
    return { totalBytes: 4 * 2 ** 30, availableBytes: 2 * 2 ** 30 };
  }

  async load(): Promise<readonly [number, number, number]> {
    return [0.5, 0.25, 0];
  }

  async uptimeSeconds(): Promise<number> {
    return 3600;
  }
}
