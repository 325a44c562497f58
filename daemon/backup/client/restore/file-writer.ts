/**
 * Writes files of a restore: created anew, never through a link, metadata last.
 *
 * Paths are `/proc/self/fd/FOLDER/NAME`: FOLDER was opened step by step without following a link,
 * NAME is a single step, so nothing leads out of the target.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { Extent, Timestamp, Xattr } from "../../../../protocol/backup/tree.ts";
import { setModified, writeXattr } from "../system-calls.ts";

const CREATE_FLAGS =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const REOPEN_FLAGS = constants.O_WRONLY | constants.O_NOFOLLOW;
/** Nobody else reads a file that is not finished. */
const UNFINISHED_MODE = 0o600;

export interface FileMeta {
  readonly mode: number;
  /** Undefined: the owner is left as it is, because only root can set it. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly mtime: Timestamp;
  readonly xattrs: readonly Xattr[];
}

/** Something of the metadata that could not be set, in words. */
export type Problem = string;

export function pathIn(folderFd: number, name: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folderFd}/`), name]);
}

/** Creates a file, with its final size when it has holes. */
export function createFile(path: Buffer, sizeBytes: number | undefined): void {
  const fd = openSync(path, CREATE_FLAGS, UNFINISHED_MODE);
  try {
    if (sizeBytes !== undefined) ftruncateSync(fd, sizeBytes);
  } finally {
    closeSync(fd);
  }
}

/** Creates a file, writes all of its content and finishes it; nothing is left where that fails. */
export function writeWhole(
  path: Buffer,
  content: Uint8Array,
  ranges: readonly Extent[],
  holesUpTo: number | undefined,
  meta: FileMeta,
): readonly Problem[] {
  const fd = openSync(path, CREATE_FLAGS, UNFINISHED_MODE);
  try {
    if (holesUpTo !== undefined) ftruncateSync(fd, holesUpTo);
    writeRanges(fd, content, ranges);
    return finish(fd, path, meta);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Writes a part of the content of a file that {@link createFile} made. */
export function writePart(path: Buffer, content: Uint8Array, ranges: readonly Extent[]): void {
  const fd = openSync(path, REOPEN_FLAGS);
  try {
    writeRanges(fd, content, ranges);
  } finally {
    closeSync(fd);
  }
}

/**
 * Gives a file whose content is complete its size, its metadata and then its name.
 *
 * @param path - Where it grew, on the file system of its name.
 */
export function finishFile(
  path: Buffer,
  name: Buffer,
  sizeBytes: number,
  meta: FileMeta,
): readonly Problem[] {
  const fd = openSync(path, REOPEN_FLAGS);
  try {
    // A file that was begun before may be longer.
    ftruncateSync(fd, sizeBytes);
    const problems = finish(fd, path, meta);
    renameSync(path, name);
    return problems;
  } finally {
    closeSync(fd);
  }
}

function writeRanges(fd: number, content: Uint8Array, ranges: readonly Extent[]): void {
  let from = 0;
  for (const { offset, length } of ranges) {
    for (let done = 0; done < length;) {
      done += writeSync(fd, content, from + done, length - done, offset + done);
    }
    from += length;
  }
}

/** Owner before mode, since a new owner takes set-id bits away; times at the very end. */
function finish(fd: number, path: Buffer, { owner, mode, xattrs, mtime }: FileMeta): Problem[] {
  const problems: Problem[] = [];
  if (owner !== undefined) attempt(problems, "owner", () => fchownSync(fd, owner.uid, owner.gid));
  setXattrs(problems, path, xattrs);
  attempt(problems, "mode", () => fchmodSync(fd, mode));
  attempt(problems, "time", () => setModified(path, mtime));
  return problems;
}

export function setXattrs(problems: Problem[], path: Buffer, xattrs: readonly Xattr[]): void {
  for (const xattr of xattrs) {
    const name = Buffer.from(xattr[0]).toString();
    attempt(problems, `attribute ${name}`, () => writeXattr(path, xattr));
  }
}

/** Metadata that cannot be set is told at the end; a full disk ends the restore at once. */
export function attempt(problems: Problem[], what: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "" || FATAL.has(code)) throw error;
    problems.push(`${what} not set (${code})`);
  }
}

const FATAL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS", "ENOMEM"]);
