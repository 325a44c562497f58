/**
 * What a restore that was begun before has left in the target, and whether it can stay.
 *
 * Nothing is taken on trust: a file stays when its metadata is complete and each of its chunks has
 * the id that the snapshot names; of one that is not complete the chunks that are right stay.
 * Whatever else has the name of something in the snapshot is removed and written anew.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  type BigIntStats,
} from "node:fs";
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import type { FileEntry, Timestamp } from "../../../../protocol/backup/tree.ts";
import type { ChunkNamer } from "../seal/chunk-namer.ts";
import { rangesOf } from "../read/content-plan.ts";
import { BackupError } from "../error.ts";
import type { FileMeta } from "./file-writer.ts";

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Of Linux; Node does not name it. Opens what may not be read, to change its mode. */
const O_PATH = 0o10000000;
const UNFINISHED_MODE = 0o700;
const MODE_BITS = 0o7777;

/** How long each chunk of a file is, in the order of its ids. */
export type ChunkLengths = readonly number[];

/** Whether a complete file of that name is there. If not, nothing has the name any more. */
export function isComplete(
  path: Buffer,
  entry: FileEntry,
  meta: FileMeta,
  lengths: ChunkLengths,
  namer: ChunkNamer,
): boolean {
  const fd = openRegular(path);
  if (fd !== undefined) {
    try {
      const isSame = hasMeta(fstatSync(fd, { bigint: true }), entry, meta);
      if (isSame && rightChunks(fd, entry, lengths, namer).every(Boolean)) return true;
    } finally {
      closeSync(fd);
    }
  }
  clear(path);
  return false;
}

/** For each chunk of a file whether it is there already; undefined when there is no such file. */
export function chunksThere(
  path: Buffer,
  entry: FileEntry,
  lengths: ChunkLengths,
  namer: ChunkNamer,
): readonly boolean[] | undefined {
  const fd = openRegular(path);
  if (fd === undefined) {
    clear(path);
    return undefined;
  }
  try {
    return rightChunks(fd, entry, lengths, namer);
  } finally {
    closeSync(fd);
  }
}

/** Takes a name that is not a directory's out of the way. @throws when it is a directory. */
export function clear(path: Buffer): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

/**
 * Closes a directory that is there to everybody else again, until it is complete.
 *
 * @throws BackupError when it is none, or somebody else's than ours and the snapshot's.
 */
export function reopenFolder(path: Buffer, meta: FileMeta): void {
  const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const fd = openSync(path, flags);
  try {
    const { uid } = fstatSync(fd);
    const self = process.geteuid?.();
    if (uid !== self && uid !== meta.owner?.uid) {
      throw new BackupError("E-RESTORE-TARGET", "A directory in the target is somebody else's.", {
        hint: "Name a directory that is empty or does not exist yet.",
      });
    }
    // By the descriptor, which cannot be turned into a link meanwhile.
    chmodSync(`/proc/self/fd/${fd}`, UNFINISHED_MODE);
  } finally {
    closeSync(fd);
  }
  const readable = openSync(
    path,
    constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
  );
  try {
    const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
    if (meta.owner !== undefined && uid !== undefined && gid !== undefined) {
      fchownSync(readable, uid, gid);
    }
    fchmodSync(readable, UNFINISHED_MODE);
  } finally {
    closeSync(readable);
  }
}

function openRegular(path: Buffer): number | undefined {
  try {
    // Not opened before it is known to be a file: opening a device can have effects.
    if (!lstatSync(path).isFile()) return undefined;
    const fd = openSync(path, READ_FLAGS);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch {
    // Not there, or not to be read: then it is written anew.
  }
  return undefined;
}

function hasMeta(facts: BigIntStats, entry: FileEntry, { mode, owner, mtime }: FileMeta): boolean {
  return (
    Number(facts.size) === entry.sizeBytes &&
    (Number(facts.mode) & MODE_BITS) === (mode & MODE_BITS) &&
    facts.mtimeNs === nanosOf(mtime) &&
    (owner === undefined || (Number(facts.uid) === owner.uid && Number(facts.gid) === owner.gid))
  );
}

function nanosOf({ seconds, nanos }: Timestamp): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
}

function rightChunks(
  fd: number,
  entry: FileEntry,
  lengths: ChunkLengths,
  namer: ChunkNamer,
): boolean[] {
  let dataOffset = 0;
  return lengths.map((length, at) => {
    const id = entry.chunks.subarray(at * CHUNK_ID_BYTES, (at + 1) * CHUNK_ID_BYTES);
    const ranges = rangesOf(entry.extents, dataOffset, length);
    dataOffset += length;
    const chunk = new Uint8Array(length);
    let filled = 0;
    for (const { offset, length: wanted } of ranges) {
      for (let done = 0; done < wanted;) {
        const read = readSync(fd, chunk, filled, wanted - done, offset + done);
        if (read === 0) return false;
        done += read;
        filled += read;
      }
    }
    return Buffer.compare(namer.name(chunk), id) === 0;
  });
}
