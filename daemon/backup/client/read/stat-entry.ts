/** Turns what the file system says of a name into an entry of a tree. */
import { readlinkSync, type BigIntStats } from "node:fs";
import { constants } from "node:fs";
import type {
  EntryKind,
  FileEntry,
  Timestamp,
  TreeEntry,
  Xattr,
} from "../../../../protocol/backup/tree.ts";
import { deviceNumbers } from "../system-calls.ts";

const NANOS = 1_000_000_000n;
const MODE_BITS = 0o7777;

const KIND_OF_TYPE: ReadonlyMap<number, EntryKind> = new Map([
  [constants.S_IFREG, "file"],
  [constants.S_IFDIR, "directory"],
  [constants.S_IFLNK, "symlink"],
  [constants.S_IFIFO, "fifo"],
  [constants.S_IFSOCK, "socket"],
  [constants.S_IFCHR, "char"],
  [constants.S_IFBLK, "block"],
]);

/** Undefined for a type that this program does not know. */
export function kindOf(stat: BigIntStats): EntryKind | undefined {
  return KIND_OF_TYPE.get(Number(stat.mode) & constants.S_IFMT);
}

/** What all entries have. */
export function entryBase(name: Uint8Array, stat: BigIntStats, xattrs: readonly Xattr[]) {
  return {
    name,
    mode: Number(stat.mode) & MODE_BITS,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: timestamp(stat.mtimeNs),
    xattrs,
  };
}

/** A file before it is read: no chunks yet. */
export function fileEntry(
  name: Uint8Array,
  stat: BigIntStats,
  xattrs: readonly Xattr[],
  link: number | undefined,
): FileEntry {
  return {
    ...entryBase(name, stat, xattrs),
    kind: "file",
    sizeBytes: Number(stat.size),
    chunks: new Uint8Array(0),
    extents: undefined,
    link,
    ctime: timestamp(stat.ctimeNs),
    inode: inodeOf(stat),
    changed: false,
  };
}

/** An entry that is complete without reading a file or a directory. */
export function plainEntry(
  path: Uint8Array,
  name: Uint8Array,
  stat: BigIntStats,
  kind: Exclude<EntryKind, "file" | "directory">,
  xattrs: readonly Xattr[],
): TreeEntry {
  const base = entryBase(name, stat, xattrs);
  switch (kind) {
    case "symlink":
      return { ...base, kind, target: readlinkSync(Buffer.from(path), { encoding: "buffer" }) };
    case "fifo":
    case "socket":
      return { ...base, kind };
    case "char":
    case "block":
      return { ...base, kind, ...deviceNumbers(stat.rdev) };
  }
}

/**
 * Whether a file is what it was: then it need not be read. The change time also moves when owner,
 * mode or attributes change, and nobody can set it back.
 */
export function isUnchanged(cached: FileEntry, stat: BigIntStats): boolean {
  return (
    !cached.changed &&
    cached.sizeBytes === Number(stat.size) &&
    cached.inode === inodeOf(stat) &&
    sameTime(cached.ctime, stat.ctimeNs) &&
    sameTime(cached.mtime, stat.mtimeNs)
  );
}

/** Whether two entries of one name say the same. */
export function sameEntry(a: TreeEntry, b: TreeEntry): boolean {
  if (a.kind !== b.kind || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.mtime.seconds !== b.mtime.seconds || a.mtime.nanos !== b.mtime.nanos) return false;
  if (a.xattrs.length !== b.xattrs.length) return false;
  for (const [at, [name, value]] of a.xattrs.entries()) {
    const other = b.xattrs[at];
    if (other === undefined || !sameBytes(name, other[0]) || !sameBytes(value, other[1])) {
      return false;
    }
  }
  if (a.kind === "directory" && b.kind === "directory") return sameBytes(a.chunks, b.chunks);
  if (a.kind === "symlink" && b.kind === "symlink") return sameBytes(a.target, b.target);
  if (a.kind === "char" || a.kind === "block") {
    return a.kind === b.kind && a.major === b.major && a.minor === b.minor;
  }
  return a.kind !== "file";
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function sameTime({ seconds, nanos }: Timestamp, ns: bigint): boolean {
  return BigInt(seconds) * NANOS + BigInt(nanos) === ns;
}

function timestamp(ns: bigint): Timestamp {
  let seconds = ns / NANOS;
  let nanos = ns % NANOS;
  if (nanos < 0n) {
    seconds -= 1n;
    nanos += NANOS;
  }
  return { seconds: Number(seconds), nanos: Number(nanos) };
}

/** Inode numbers above 2^53 lose their high bits: they are only compared with themselves. */
export function inodeOf(stat: { readonly ino: bigint }): number {
  return Number(BigInt.asUintN(53, stat.ino));
}
