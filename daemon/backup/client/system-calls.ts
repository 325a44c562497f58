/**
 * The few system calls that a backup needs and Node does not have, through koffi.
 *
 * Paths are bytes, and links are never followed. Every function throws {@link SystemError} with
 * the name of the error when the call fails.
 */
import { createRequire } from "node:module";
import { constants } from "node:os";
import type { Extent, Timestamp, Xattr } from "../../../protocol/backup/tree.ts";

/** A system call that failed, like the errors of `node:fs`. */
export class SystemError extends Error {
  /** Such as `ENOTSUP`. */
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = ERROR_NAMES.get(errno) ?? `errno ${errno}`;
    super(`${code}: ${call}`);
    this.name = "SystemError";
    this.code = code;
  }
}

const ERROR_NAMES = new Map(Object.entries(constants.errno).map(([name, code]) => [code, name]));

/** Two names of one number: which of them {@link ERROR_NAMES} has is not ours to say. */
const UNSUPPORTED: ReadonlySet<string> = new Set(["ENOTSUP", "EOPNOTSUPP"]);

/** Whether the file system cannot do what a call asked for. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof SystemError && UNSUPPORTED.has(error.code);
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const LOCK_EXCLUSIVE_NOW = 2 | 4;
/** The kernel's own limits: xattr(7). */
const MAX_XATTR_LIST_BYTES = 65_536;
const MAX_XATTR_VALUE_BYTES = 65_536;

interface Koffi {
  load(library: string): { func(definition: string): (...args: unknown[]) => unknown };
  errno(): number;
}

/** Loaded as CommonJS: the module has no types that fit ES modules. */
const koffi = createRequire(import.meta.url)("koffi") as Koffi;
const libc = koffi.load("libc.so.6");

function call(definition: string): (...args: unknown[]) => number {
  const called = libc.func(definition);
  const name = /(\w+)\(/.exec(definition)?.[1] ?? definition;
  return (...args) => {
    const outcome = Number(called(...args));
    if (outcome < 0) throw new SystemError(name, koffi.errno());
    return outcome;
  };
}

const llistxattr = call("long llistxattr(void *path, void *list, size_t size)");
const lgetxattr = call("long lgetxattr(void *path, void *name, void *value, size_t size)");
const lsetxattr = call(
  "int lsetxattr(void *path, void *name, void *value, size_t size, int flags)",
);
const lremovexattr = call("int lremovexattr(void *path, void *name)");
const lseek = call("int64_t lseek(int fd, int64_t offset, int whence)");
const utimensat = call("int utimensat(int folder, void *path, void *times, int flags)");
const mknod = call("int mknod(void *path, uint32_t mode, uint64_t device)");
const mallopt = call("int mallopt(int parameter, int value)");
const flock = call("int flock(int fd, int operation)");

const listBuffer = Buffer.allocUnsafeSlow(MAX_XATTR_LIST_BYTES);
const valueBuffer = Buffer.allocUnsafeSlow(MAX_XATTR_VALUE_BYTES);

/** All extended attributes, ACLs included, sorted by name. Empty where there are none at all. */
export function readXattrs(path: Uint8Array): readonly Xattr[] {
  const file = terminated(path);
  let length: number;
  try {
    length = llistxattr(file, listBuffer, MAX_XATTR_LIST_BYTES);
  } catch (error) {
    if (isUnsupported(error)) return [];
    throw error;
  }
  if (length === 0) return [];
  const found: Xattr[] = [];
  // A copy: the buffer is used again for each file.
  const names = Buffer.from(listBuffer.subarray(0, length));
  for (let at = 0; at < length;) {
    const end = names.indexOf(0, at);
    const name = names.subarray(at, end);
    try {
      const size = lgetxattr(file, names.subarray(at, end + 1), valueBuffer, MAX_XATTR_VALUE_BYTES);
      found.push([name, Uint8Array.from(valueBuffer.subarray(0, size))]);
    } catch (error) {
      // Removed since it was listed.
      if (!(error instanceof SystemError && error.code === "ENODATA")) throw error;
    }
    at = end + 1;
  }
  return found.toSorted(([a], [b]) => Buffer.compare(a, b));
}

export function writeXattr(path: Uint8Array, [name, value]: Xattr): void {
  lsetxattr(terminated(path), terminated(name), value, value.length, 0);
}

/** @param name - Of an attribute that is there. */
export function removeXattr(path: Uint8Array, name: Uint8Array): void {
  lremovexattr(terminated(path), terminated(name));
}

/** Sets the modification time (the access time stays), also of a link itself. */
export function setModified(path: Uint8Array, { seconds, nanos }: Timestamp): void {
  const UTIME_OMIT = 0x3ffffffen;
  const times = Buffer.alloc(32);
  times.writeBigInt64LE(UTIME_OMIT, 8);
  times.writeBigInt64LE(BigInt(seconds), 16);
  times.writeBigInt64LE(BigInt(nanos), 24);
  utimensat(AT_FDCWD, terminated(path), times, AT_SYMLINK_NOFOLLOW);
}

/**
 * The ranges of an open file that are not holes.
 *
 * @param sizeBytes - Nothing beyond is looked at.
 */
export function dataRanges(fd: number, sizeBytes: number): Extent[] {
  const ranges: Extent[] = [];
  for (let at = 0; at < sizeBytes;) {
    let start: number;
    try {
      start = lseek(fd, at, SEEK_DATA);
    } catch (error) {
      // Only a hole is left.
      if (error instanceof SystemError && error.code === "ENXIO") break;
      throw error;
    }
    const end = Math.min(lseek(fd, start, SEEK_HOLE), sizeBytes);
    if (end <= start) break;
    ranges.push({ offset: start, length: end - start });
    at = end;
  }
  return ranges;
}

/** Makes a fifo, socket or device node. @param mode - With the bits of the file type. */
export function makeNode(path: Uint8Array, mode: number, major = 0, minor = 0): void {
  // makedev(3) of glibc.
  const device =
    ((BigInt(major) & 0xfffff000n) << 32n) |
    ((BigInt(major) & 0xfffn) << 8n) |
    ((BigInt(minor) & 0xffffff00n) << 12n) |
    (BigInt(minor) & 0xffn);
  mknod(terminated(path), mode, device);
}

/** The halves of a device number, as major(3) and minor(3) give them. */
export function deviceNumbers(device: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn)),
    minor: Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn)),
  };
}

/** Takes a lock that ends with the process, however that ends. False when another has it. */
export function lockFile(fd: number): boolean {
  try {
    flock(fd, LOCK_EXCLUSIVE_NOW);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === "EWOULDBLOCK") return false;
    throw error;
  }
}

/**
 * Has the C library give memory back: buffers of 64 KiB and more are mapped on their own, and all
 * threads share one heap. See mallopt(3).
 */
export function limitHeaps(): void {
  const [M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD] = [-8, -3, -1];
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 65_536);
  mallopt(M_TRIM_THRESHOLD, 65_536);
}

function terminated(bytes: Uint8Array): Buffer {
  const text = Buffer.allocUnsafe(bytes.length + 1);
  text.set(bytes);
  text[bytes.length] = 0;
  return text;
}
