/**
 * A disk of its own for a site, which can lose its power: an ext4 file system in a file, mounted
 * through a loop device.
 *
 * The cut is the kernel's own: the ioctl that file system tests use stops the file system at once,
 * without writing the journal out. What was not synced is lost, as it is when the power goes; what
 * is left in the image is what the disk had. Mounting it replays the journal.
 *
 * Needs root. Mounts should be made in a mount namespace of their own, which ends with the process.
 *
 * Source: fs/ext4/ioctl.c, ext4_force_shutdown; XFS_IOC_GOINGDOWN in xfsprogs.
 */
import { closeSync, openSync, truncateSync } from "node:fs";
import { createRequire } from "node:module";
import { runProcess } from "../run-process.ts";

/** `_IOR('X', 125, __u32)`. */
const FS_IOC_SHUTDOWN = 0x8004587d;
/** Nothing more is written, not even the journal. */
const NO_LOG_FLUSH = 2;
const IMAGE_BYTES = 4 * 1024 ** 3;
/**
 * Nothing reaches the disk by the mere passage of time while a round lasts. Without the
 * allocations that ext4 makes early for programs that forget an fsync, as other file systems are.
 */
const OPTIONS = {
  ordered: "loop,commit=300,noauto_da_alloc,data=ordered",
  writeback: "loop,commit=300,noauto_da_alloc,data=writeback",
} as const;

interface Koffi {
  load(library: string): { func(definition: string): (...args: unknown[]) => unknown };
  errno(): number;
}

/** Loaded as CommonJS: the module has no types that fit ES modules. */
const koffi = createRequire(import.meta.url)("koffi") as Koffi;
const ioctl = koffi.load("libc.so.6").func("int ioctl(int fd, unsigned long request, void *flags)");

export class DiskImage {
  readonly #file: string;
  readonly #folder: string;
  #isMounted = false;

  private constructor(file: string, folder: string) {
    this.#file = file;
    this.#folder = folder;
  }

  /**
   * Makes an empty disk and mounts it.
   *
   * @param file - Does not exist yet.
   * @param folder - Exists. What lies in it is hidden.
   */
  static async make(file: string, folder: string): Promise<DiskImage> {
    closeSync(openSync(file, "wx"));
    truncateSync(file, IMAGE_BYTES);
    await must("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=16", file);
    const disk = new DiskImage(file, folder);
    await disk.mount("ordered");
    return disk;
  }

  /** @param mode - Whether data reach the disk before their names do, or in any order. */
  async mount(mode: keyof typeof OPTIONS): Promise<void> {
    await must("mount", "-o", OPTIONS[mode], this.#file, this.#folder);
    this.#isMounted = true;
  }

  /** The power goes. Whoever still runs from here gets errors. */
  cut(): void {
    const fd = openSync(this.#folder, "r");
    try {
      const flags = Buffer.alloc(4);
      flags.writeUInt32LE(NO_LOG_FLUSH);
      if (Number(ioctl(fd, FS_IOC_SHUTDOWN, flags)) < 0) {
        throw new Error(`${this.#folder} cannot be cut off: errno ${koffi.errno()}`);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** Nothing may run from it any more. */
  async unmount(): Promise<void> {
    if (!this.#isMounted) return;
    await must("umount", this.#folder);
    this.#isMounted = false;
  }
}

async function must(program: string, ...args: readonly string[]): Promise<void> {
  const { exit, stderr } = await runProcess(program, args);
  if (exit !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
}
