/**
 * Trees: what a directory contained, in one or more chunks.
 *
 * Names and link targets are bytes, as in the file system. Entries are sorted by name and no name
 * stands twice, so a link can never be swapped for a directory between two entries. A reader
 * refuses names that could lead anywhere else. Written by tree-encode.ts, read by tree-decode.ts.
 *
 * CBOR `{e: [entry…], v: 1}`; an entry is a map with keys of one letter, absent where they say
 * nothing:
 *
 * | key | is |
 * | --- | --- |
 * | a | extended attributes, ACLs included: [[name, value]…], sorted by name |
 * | c | change time [seconds, nanoseconds]: only for skipping files that did not change |
 * | d | device: [major, minor] |
 * | e | data ranges of a sparse file: [[offset, length]…]; the chunks hold these bytes only |
 * | g, u | group and owner, as numbers |
 * | h | chunk ids, one after another: content of a file, trees of a directory |
 * | i | inode number, modulo 2^53: as c |
 * | k | kind: 0 file, 1 directory, 2 symbolic link, 3 fifo, 4 socket, 5 char, 6 block device |
 * | l | hard-link group: entries with one number are one file |
 * | m | permission bits with set-id and sticky: 0 to 07777 |
 * | n | name |
 * | s | size of a file in bytes |
 * | t | modification time [seconds, nanoseconds] |
 * | w | true: the file changed while it was read |
 * | y | target of a symbolic link |
 */
import { PleachError } from "../error.ts";

const MAX_NAME_BYTES = 255;

/** Seconds since 1970 (may be negative) and 0 to 999,999,999 nanoseconds after them. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export type Xattr = readonly [name: Uint8Array, value: Uint8Array];

interface EntryBase {
  readonly name: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  readonly xattrs: readonly Xattr[];
}

export interface FileEntry extends EntryBase {
  readonly kind: "file";
  readonly sizeBytes: number;
  /** Ids of 32 bytes each. */
  readonly chunks: Uint8Array;
  /** Undefined when the whole file is data. */
  readonly extents: readonly Extent[] | undefined;
  readonly link: number | undefined;
  readonly ctime: Timestamp;
  readonly inode: number;
  readonly changed: boolean;
}

export interface DirectoryEntry extends EntryBase {
  readonly kind: "directory";
  /** Ids of its tree chunks, 32 bytes each. */
  readonly chunks: Uint8Array;
}

export interface SymlinkEntry extends EntryBase {
  readonly kind: "symlink";
  readonly target: Uint8Array;
}

export interface SpecialEntry extends EntryBase {
  readonly kind: "fifo" | "socket";
}

export interface DeviceEntry extends EntryBase {
  readonly kind: "char" | "block";
  readonly major: number;
  readonly minor: number;
}

export type TreeEntry = FileEntry | DirectoryEntry | SymlinkEntry | SpecialEntry | DeviceEntry;
export type EntryKind = TreeEntry["kind"];

/** By their numbers. */
export const ENTRY_KINDS: readonly EntryKind[] = [
  "file",
  "directory",
  "symlink",
  "fifo",
  "socket",
  "char",
  "block",
];

export class TreeError extends PleachError<"E-TREE-FORM"> {}

/** One step down and nothing else: no separator, no zero byte, not `.` or `..`. */
export function isSafeName(name: Uint8Array): boolean {
  if (name.length === 0 || name.length > MAX_NAME_BYTES) return false;
  if (name.includes(0x2f) || name.includes(0)) return false;
  return !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
}
