/** How a walk opens, looks at and names what it meets. */
import { constants, lstatSync, openSync, statSync, type BigIntStats } from "node:fs";
import type { DirectoryEntry, Xattr } from "../../../../protocol/backup/tree.ts";
import { BackupError } from "../error.ts";
import { entryBase } from "./stat-entry.ts";
import { readXattrs } from "../system-calls.ts";

/** O_PATH, which `node:fs` does not name: names are looked up in it, whoever may list them. */
const LOOK_UP_ONLY = 0o10000000;
const LEAD_FLAGS = LOOK_UP_ONLY | constants.O_DIRECTORY;
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A directory before its trees are known. */
export function directoryEntry(
  name: Uint8Array,
  stat: BigIntStats,
  xattrs: readonly Xattr[],
): DirectoryEntry {
  return { ...entryBase(name, stat, xattrs), kind: "directory", chunks: new Uint8Array(0) };
}

/** Opens a directory, never through a link. */
export function openFolder(path: Buffer): number {
  return openSync(path, FOLDER_FLAGS);
}

/**
 * Opens a directory on the way to a path: there, links are followed.
 *
 * @throws BackupError when it is none.
 */
export function openLead(path: Buffer | string, shownPath: string): number {
  try {
    return openSync(path, LEAD_FLAGS);
  } catch (cause) {
    throw notThere(shownPath, cause);
  }
}

/** A path of the data set itself, or a directory on the way to it. */
export interface Step {
  /** What a link leads to, if it is one. */
  readonly stat: BigIntStats;
  /** Of the link itself. */
  readonly lstat: BigIntStats;
}

/** @throws BackupError when it is not there. */
export function stepAt(path: Buffer, shownPath: string): Step {
  try {
    return {
      stat: statSync(path, { bigint: true }),
      lstat: lstatSync(path, { bigint: true }),
    };
  } catch (cause) {
    throw notThere(shownPath, cause);
  }
}

function notThere(shownPath: string, cause: unknown): BackupError {
  const message = `The path ${shownPath} is not there (${codeOf(cause)}).`;
  return new BackupError("E-BACKUP-PATH", message, {
    hint: "Correct the paths of the data set, or create the directory.",
    cause,
  });
}

/** Attributes of a directory that may be closed to us: then none are known. */
export function safeXattrs(path: Buffer): readonly Xattr[] {
  try {
    return readXattrs(path);
  } catch {
    return [];
  }
}

/** A name as a key: a byte is a character. */
export function keyOf(name: Uint8Array): string {
  return Buffer.from(name).toString("latin1");
}

/** A path whose bytes are characters, as people read it. */
export function shown(path: string): string {
  return Buffer.from(path === "" ? "/" : path, "latin1").toString("utf8");
}

/** The code of an error of the system; undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" && !error.code.startsWith("E-") ? error.code : undefined;
}
