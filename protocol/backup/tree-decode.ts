/**
 * Reads trees; see tree.ts for the format.
 *
 * Whoever has the keys of a data set can have written anything: what is decoded here names single
 * steps only, in strict order, and sizes that fit one another.
 */
import { CborReader } from "../encoding/cbor-stream.ts";
import { CHUNK_ID_BYTES } from "./chunk.ts";
import {
  ENTRY_KINDS,
  TreeError,
  isSafeName,
  type Extent,
  type Timestamp,
  type TreeEntry,
  type Xattr,
} from "./tree.ts";

const MAX_NAME_BYTES = 255;
const MAX_TARGET_BYTES = 4095;
const MAX_MODE = 0o7777;
const MAX_ID = 2 ** 32 - 1;

/**
 * The entries of one tree chunk. Byte strings are views of `bytes`.
 *
 * @param after - The last name of the chunk before, when a directory has several.
 * @throws TreeError or CborError for anything that `encodeTrees` would not have written.
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
  const kind = ENTRY_KINDS[fields.k ?? -1];
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
