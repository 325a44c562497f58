/** Writes trees; see tree.ts for the format. */
import { CborWriter } from "../encoding/cbor-stream.ts";
import { ENTRY_KINDS, type TreeEntry } from "./tree.ts";

/** A tree chunk is closed when it passes this size, so that a large directory has several. */
export const TREE_TARGET_BYTES = 256 * 1024;

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
  writeNumber(out, "k", ENTRY_KINDS.indexOf(entry.kind));
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
