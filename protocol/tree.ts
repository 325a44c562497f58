/**
 * Trees: what a directory contained, in one or more chunks.
 *
 * Names and link targets are bytes, as in the file system. Entries are sorted by name and no name
 * stands twice, so a link can never be swapped for a directory between two entries. A reader
 * refuses names that could lead anywhere else.
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
import { CborReader, CborWriter } from "./cbor-stream.ts";
import { CHUNK_ID_BYTES } from "./chunk.ts";
import { PleachError } from "./error.ts";

/** A tree chunk is closed when it passes this size, so that a large directory has several. */
export const TREE_TARGET_BYTES = 256 * 1024;

const MAX_NAME_BYTES = 255;
const MAX_TARGET_BYTES = 4095;
const MAX_MODE = 0o7777;
const MAX_ID = 2 ** 32 - 1;

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

const KINDS: readonly EntryKind[] = [
  "file",
  "directory",
  "symlink",
  "fifo",
  "socket",
  "char",
  "block",
];

export class TreeError extends PleachError<"E-TREE-FORM"> {}

/** Encodes entries that are sorted by name already, into as many chunks as they need. */
export function encodeTrees(entries: readonly TreeEntry[]): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let body = new CborWriter();
  let count = 0;
  const close = (): void => {
    chunks.push(Buffer.concat([treeHead(count), body.finish(), TREE_END]));
    body = new CborWriter();
    count = 0;
  };
  for (const entry of entries) {
    writeEntry(body, entry);
    count += 1;
    if (body.length >= TREE_TARGET_BYTES) close();
  }
  if (count > 0 || chunks.length === 0) close();
  return chunks;
}

/**
 * The entries of one tree chunk. Byte strings are views of `bytes`.
 *
 * @param after - The last name of the chunk before, when a directory has several.
 * @throws TreeError or CborError for anything that {@link encodeTrees} would not have written.
 */
export function decodeTree(bytes: Uint8Array, after?: Uint8Array): TreeEntry[] {
  const reader = new CborReader(bytes);
  if (reader.map() !== 2 || reader.letter() !== code("e")) throw malformed("form");
  let last = after;
  const entries: TreeEntry[] = [];
  for (let left = reader.array(); left > 0; left--) {
    const entry = readEntry(reader);
    if (last !== undefined && Buffer.compare(last, entry.name) >= 0) throw malformed("order");
    last = entry.name;
    entries.push(entry);
  }
  if (reader.letter() !== code("v") || reader.integer() !== 1) throw malformed("version");
  reader.end();
  return entries;
}

/** Behind the entries: `"v": 1`. */
const TREE_END = Uint8Array.of(0x61, 0x76, 0x01);

function treeHead(count: number): Uint8Array {
  const head = new CborWriter();
  head.map(2);
  head.letter("e");
  head.array(count);
  return head.finish();
}

function writeEntry(out: CborWriter, entry: TreeEntry): void {
  const file = entry.kind === "file" ? entry : undefined;
  const chunks = file?.chunks ?? (entry.kind === "directory" ? entry.chunks : undefined);
  const target = entry.kind === "symlink" ? entry.target : undefined;
  const device = entry.kind === "char" || entry.kind === "block" ? entry : undefined;
  const optional = [
    entry.xattrs.length > 0,
    device !== undefined,
    file?.extents !== undefined,
    chunks !== undefined,
    file?.link !== undefined,
    file?.changed === true,
    target !== undefined,
  ];
  out.map(6 + (file === undefined ? 0 : 3) + optional.filter(Boolean).length);
  if (entry.xattrs.length > 0) {
    out.letter("a");
    out.array(entry.xattrs.length);
    for (const [name, value] of entry.xattrs) {
      out.array(2);
      out.bytes(name);
      out.bytes(value);
    }
  }
  if (file !== undefined) writePair(out, "c", file.ctime.seconds, file.ctime.nanos);
  if (device !== undefined) writePair(out, "d", device.major, device.minor);
  if (file?.extents !== undefined) {
    out.letter("e");
    out.array(file.extents.length);
    for (const { offset, length } of file.extents) writeTwo(out, offset, length);
  }
  writeNumber(out, "g", entry.gid);
  if (chunks !== undefined) writeBytes(out, "h", chunks);
  if (file !== undefined) writeNumber(out, "i", file.inode);
  writeNumber(out, "k", KINDS.indexOf(entry.kind));
  if (file?.link !== undefined) writeNumber(out, "l", file.link);
  writeNumber(out, "m", entry.mode);
  writeBytes(out, "n", entry.name);
  if (file !== undefined) writeNumber(out, "s", file.sizeBytes);
  writePair(out, "t", entry.mtime.seconds, entry.mtime.nanos);
  writeNumber(out, "u", entry.uid);
  if (file?.changed === true) {
    out.letter("w");
    out.true();
  }
  if (target !== undefined) writeBytes(out, "y", target);
}

function writeNumber(out: CborWriter, key: string, value: number): void {
  out.letter(key);
  out.integer(value);
}

function writeBytes(out: CborWriter, key: string, value: Uint8Array): void {
  out.letter(key);
  out.bytes(value);
}

function writePair(out: CborWriter, key: string, first: number, second: number): void {
  out.letter(key);
  writeTwo(out, first, second);
}

function writeTwo(out: CborWriter, first: number, second: number): void {
  out.array(2);
  out.integer(first);
  out.integer(second);
}

/** The fields of an entry as they were read; which ones must be there depends on the kind. */
interface Fields {
  a?: Xattr[];
  c?: Timestamp;
  d?: readonly [number, number];
  e?: Extent[];
  g?: number;
  h?: Uint8Array;
  i?: number;
  k?: number;
  l?: number;
  m?: number;
  n?: Uint8Array;
  s?: number;
  t?: Timestamp;
  u?: number;
  w?: true;
  y?: Uint8Array;
}

function readEntry(reader: CborReader): TreeEntry {
  const fields: Fields = {};
  const count = reader.map();
  let last = 0;
  for (let left = count; left > 0; left--) {
    const key = reader.letter();
    if (key <= last) throw malformed("order of keys");
    last = key;
    readField(reader, String.fromCharCode(key), fields);
  }
  return entryOf(fields, count);
}

function readField(reader: CborReader, key: string, fields: Fields): void {
  switch (key) {
    case "a":
      fields.a = readXattrs(reader);
      break;
    case "c":
    case "t":
      fields[key] = readTime(reader);
      break;
    case "d":
      fields.d = readTwo(reader);
      break;
    case "e":
      fields.e = Array.from({ length: reader.array() }, () => {
        const [offset, length] = readTwo(reader);
        return { offset, length };
      });
      break;
    case "h":
    case "n":
    case "y":
      fields[key] = reader.bytes();
      break;
    case "w":
      fields.w = reader.true();
      break;
    case "g":
    case "i":
    case "k":
    case "l":
    case "m":
    case "s":
    case "u":
      fields[key] = reader.integer();
      break;
    default:
      throw malformed(`key ${key}`);
  }
}

function entryOf(fields: Fields, count: number): TreeEntry {
  const { a: xattrs = [], n: name, m: mode, u: uid, g: gid, t: mtime } = fields;
  const kind = KINDS[fields.k ?? -1];
  if (kind === undefined || mtime === undefined || !inRange(mode, MAX_MODE))
    throw malformed("mode");
  if (!inRange(uid, MAX_ID) || !inRange(gid, MAX_ID)) throw malformed("owner");
  if (name === undefined || !isSafeName(name)) throw malformed("name");
  const base = { name, mode, uid, gid, mtime, xattrs };
  // Keys that every entry has, and those it may have.
  let expected = 6 + (fields.a === undefined ? 0 : 1);
  const done = (entry: TreeEntry, own: number): TreeEntry => {
    expected += own;
    if (count !== expected) throw malformed("keys");
    return entry;
  };
  switch (kind) {
    case "file": {
      const { s: sizeBytes, h: chunks, c: ctime, i: inode, e: extents, l: link, w } = fields;
      if (chunks === undefined || chunks.length % CHUNK_ID_BYTES !== 0) throw malformed("chunks");
      if (ctime === undefined || !inRange(inode) || !inRange(sizeBytes)) throw malformed("file");
      if (link !== undefined && !inRange(link)) throw malformed("link");
      if (extents !== undefined) checkExtents(extents, sizeBytes);
      const own = [extents, link, w].filter((value) => value !== undefined).length;
      const changed = w === true;
      return done(
        { ...base, kind, sizeBytes, chunks, extents, link, ctime, inode, changed },
        4 + own,
      );
    }
    case "directory": {
      const { h: chunks } = fields;
      if (chunks === undefined || chunks.length % CHUNK_ID_BYTES !== 0) throw malformed("chunks");
      return done({ ...base, kind, chunks }, 1);
    }
    case "symlink": {
      const { y: target } = fields;
      const sound = target !== undefined && target.length > 0 && target.length <= MAX_TARGET_BYTES;
      if (!sound || target.includes(0)) throw malformed("target");
      return done({ ...base, kind, target }, 1);
    }
    case "fifo":
    case "socket":
      return done({ ...base, kind }, 0);
    case "char":
    case "block": {
      const [major, minor] = fields.d ?? [];
      if (!inRange(major, MAX_ID) || !inRange(minor, MAX_ID)) throw malformed("device");
      return done({ ...base, kind, major, minor }, 1);
    }
  }
}

/** One step down and nothing else: no separator, no zero byte, not `.` or `..`. */
export function isSafeName(name: Uint8Array): boolean {
  if (name.length === 0 || name.length > MAX_NAME_BYTES) return false;
  if (name.includes(0x2f) || name.includes(0)) return false;
  return !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
}

function checkExtents(extents: readonly Extent[], sizeBytes: number): void {
  let end = 0;
  for (const { offset, length } of extents) {
    if (offset < end || length < 1 || offset + length > sizeBytes) throw malformed("extents");
    end = offset + length;
  }
}

function readXattrs(reader: CborReader): Xattr[] {
  let last: Uint8Array | undefined;
  return Array.from({ length: reader.array() }, (): Xattr => {
    if (reader.array() !== 2) throw malformed("xattr");
    const name = reader.bytes();
    if (name.length === 0 || name.length > MAX_NAME_BYTES || name.includes(0)) {
      throw malformed("xattr");
    }
    if (last !== undefined && Buffer.compare(last, name) >= 0) throw malformed("xattr");
    last = name;
    return [name, reader.bytes()];
  });
}

function readTime(reader: CborReader): Timestamp {
  if (reader.array() !== 2) throw malformed("time");
  const [seconds, nanos] = [reader.integer(), reader.integer()];
  if (!inRange(nanos, 999_999_999)) throw malformed("time");
  return { seconds, nanos };
}

function readTwo(reader: CborReader): [number, number] {
  if (reader.array() !== 2) throw malformed("pair");
  const [first, second] = [reader.integer(), reader.integer()];
  if (!inRange(first) || !inRange(second)) throw malformed("pair");
  return [first, second];
}

function inRange(value: number | undefined, max = Number.MAX_SAFE_INTEGER): value is number {
  return value !== undefined && value >= 0 && value <= max;
}

function code(letter: string): number {
  return letter.charCodeAt(0);
}

function malformed(what: string): TreeError {
  return new TreeError("E-TREE-FORM", `A directory in the backup is malformed (${what}).`);
}
