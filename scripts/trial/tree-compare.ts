/**
 * Whether a restored tree is the original one: bytes, type, mode, times, links, xattrs, room on
 * disk, and the owner where root restored it.
 *
 * It shares no code with what it judges, but for the reading of extended attributes and holes,
 * which Node itself cannot do.
 */
import { constants } from "node:fs";
import { lstat, open, opendir, readlink } from "node:fs/promises";

/** The two things about a file that Node cannot tell. */
export interface FileProbe {
  /** Extended attributes of a path, without following a link. */
  readonly xattrs: (path: Buffer) => ReadonlyMap<string, Uint8Array>;
  /** Where an open file holds data and no hole, as text that is equal when the ranges are. */
  readonly dataRanges: (descriptor: number, sizeBytes: number) => string;
}

export interface TreeVerdict {
  readonly identical: boolean;
  /** Regular files compared. */
  readonly files: number;
  /** Their bytes. */
  readonly bytes: number;
  /** At most {@link MAX_DIFFERENCES} differences in words, the path first. */
  readonly differences: readonly string[];
}

const MAX_DIFFERENCES = 20;
const READ_BYTES = 256 * 1024;
/** Entries of one folder that are compared at the same time; folders nest to some 20. */
const TOGETHER = 8;

interface Side {
  readonly root: Buffer;
  /** First path of each file that has several names, by its inode. */
  readonly firstNames: Map<string, string>;
}

/** Compares two directories. Both stay untouched but for their access times. */
export async function compareTrees(
  original: string,
  restored: string,
  probe: FileProbe,
): Promise<TreeVerdict> {
  const left: Side = { root: Buffer.from(original), firstNames: new Map() };
  const right: Side = { root: Buffer.from(restored), firstNames: new Map() };
  const differences: string[] = [];
  const count = { files: 0, bytes: 0 };
  const report = (path: Buffer, text: string): void => {
    if (differences.length < MAX_DIFFERENCES) differences.push(`${path.toString()}: ${text}`);
  };

  const compareEntry = async (path: Buffer): Promise<void> => {
    const a = await lstat(join(left.root, path), { bigint: true });
    const b = await lstat(join(right.root, path), { bigint: true }).catch(() => undefined);
    if (a.isFile()) {
      count.files += 1;
      count.bytes += Number(a.size);
    }
    if (b === undefined) return report(path, "is missing");
    if (a.mode !== b.mode) report(path, `mode ${a.mode.toString(8)}, now ${b.mode.toString(8)}`);
    if (a.mtimeNs !== b.mtimeNs) report(path, `mtime ${a.mtimeNs}, now ${b.mtimeNs}`);
    if (process.getuid?.() === 0 && (a.uid !== b.uid || a.gid !== b.gid)) {
      report(path, `owner ${a.uid}:${a.gid}, now ${b.uid}:${b.gid}`);
    }
    compareXattrs(path);
    if (a.isSymbolicLink()) {
      const [from, to] = await Promise.all([
        readlink(join(left.root, path), { encoding: "buffer" }),
        readlink(join(right.root, path), { encoding: "buffer" }),
      ]);
      if (!from.equals(to)) report(path, "the link leads elsewhere");
    } else if (a.isDirectory()) {
      await compareDirectory(path);
    } else if (a.isFile()) {
      const [group, restoredGroup] = [firstName(left, a, path), firstName(right, b, path)];
      if (group !== restoredGroup) report(path, `linked with ${group}, now with ${restoredGroup}`);
      if (a.size !== b.size) return report(path, `${a.size} bytes, now ${b.size}`);
      if (!sameRoom(Number(a.blocks), Number(b.blocks))) {
        report(path, `${a.blocks} blocks, now ${b.blocks}`);
      }
      const difference = await compareContent(
        join(left.root, path),
        join(right.root, path),
        (descriptor) => probe.dataRanges(descriptor, Number(a.size)),
      );
      if (difference !== undefined) report(path, difference);
    }
  };

  const compareXattrs = (path: Buffer): void => {
    const from = probe.xattrs(join(left.root, path));
    const to = probe.xattrs(join(right.root, path));
    for (const name of new Set([...from.keys(), ...to.keys()])) {
      const [value, restoredValue] = [from.get(name), to.get(name)];
      if (value === undefined || restoredValue === undefined) {
        report(path, `xattr ${name} ${value === undefined ? "is new" : "is missing"}`);
      } else if (Buffer.compare(value, restoredValue) !== 0) {
        report(path, `xattr ${name} differs`);
      }
    }
  };

  const compareDirectory = async (path: Buffer): Promise<void> => {
    const [from, to] = await Promise.all([
      names(join(left.root, path)),
      names(join(right.root, path)),
    ]);
    const known = new Set(from.map((name) => name.toString("latin1")));
    for (const name of to) {
      if (!known.has(name.toString("latin1"))) report(join(path, name), "is new");
    }
    // Both sides of an entry are named in one go, so the order has no influence on link groups.
    for (let at = 0; at < from.length; at += TOGETHER) {
      const entries = from.slice(at, at + TOGETHER);
      await Promise.all(entries.map((name) => compareEntry(join(path, name))));
    }
  };

  await compareEntry(Buffer.alloc(0));
  return { identical: differences.length === 0, ...count, differences };
}

function join(folder: Buffer, name: Buffer): Buffer {
  if (folder.length === 0) return name;
  return name.length === 0 ? folder : Buffer.concat([folder, Buffer.from("/"), name]);
}

/** Sorted by bytes, so that the first name of a hard-linked file is the same on both sides. */
async function names(path: Buffer): Promise<Buffer[]> {
  const found: Buffer[] = [];
  // The types of Node know text paths only; the runtime takes and gives bytes.
  const folder = await opendir(path, { encoding: "buffer" as BufferEncoding });
  for await (const entry of folder) found.push(entry.name as unknown as Buffer);
  return found.toSorted((a, b) => Buffer.compare(a, b));
}

function firstName(
  side: Side,
  stat: { readonly dev: bigint; readonly ino: bigint; readonly nlink: bigint },
  path: Buffer,
): string {
  const name = path.toString("latin1");
  if (stat.nlink === 1n) return name;
  const inode = `${stat.dev}:${stat.ino}`;
  const first = side.firstNames.get(inode);
  if (first === undefined) side.firstNames.set(inode, name);
  return first ?? name;
}

/**
 * Whether two counts of 512-byte blocks are the same data. The count includes the file system's
 * map of the file, which depends on how scattered it lies: on ext4 nothing for up to four extents,
 * then a block of 4 KiB for each 340. Where the data lies is compared apart, to the byte.
 */
function sameRoom(blocks: number, restoredBlocks: number): boolean {
  const mapBlocks = 8 + Math.ceil(Math.max(blocks, restoredBlocks) / 340);
  return Math.abs(blocks - restoredBlocks) <= mapBlocks;
}

/** What differs between two files of one size, in words; undefined when nothing does. */
async function compareContent(
  left: Buffer,
  right: Buffer,
  rangesOf: (descriptor: number) => string,
): Promise<string | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  const a = await open(left, flags);
  const b = await open(right, flags).catch(async (error: unknown) => {
    await a.close();
    throw error;
  });
  try {
    if (rangesOf(a.fd) !== rangesOf(b.fd)) return "other holes";
    const [bufferA, bufferB] = [Buffer.alloc(READ_BYTES), Buffer.alloc(READ_BYTES)];
    for (;;) {
      const { bytesRead } = await a.read(bufferA, 0, READ_BYTES, null);
      const other = await b.read(bufferB, 0, READ_BYTES, null);
      if (bytesRead !== other.bytesRead) return "other bytes";
      if (bytesRead === 0) return undefined;
      if (bufferA.compare(bufferB, 0, bytesRead, 0, bytesRead) !== 0) return "other bytes";
    }
  } finally {
    await a.close();
    await b.close();
  }
}
