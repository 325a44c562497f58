/**
 * The host seam: what the daemon asks the machine it runs on.
 *
 * The real thing is `daemon/inventory/linux-host.ts`, which reads /proc, /sys and statfs and
 * executes nothing.
 */
export interface DiskSpace {
  readonly totalBytes: number;
  /** What an unprivileged process can still use. */
  readonly freeBytes: number;
}

export interface Host {
  hostname(): string;
  /** Changes with each boot of the machine. */
  bootId(): Promise<string>;
  diskSpace(path: string): Promise<DiskSpace>;
  memory(): Promise<{ readonly totalBytes: number; readonly availableBytes: number }>;
  /** Load averages over 1, 5 and 15 minutes. */
  load(): Promise<readonly [number, number, number]>;
  uptimeSeconds(): Promise<number>;
}
