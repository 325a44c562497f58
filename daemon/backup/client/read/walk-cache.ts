/**
 * What the last run saw, kept beside the keys: the trees of every directory, so that a file whose
 * times, size and inode are as they were is not read again.
 *
 * Only a cache: without it, or when it is of another snapshot than the newest, every file is read
 * once more and nothing else is lost. It holds names, so it is for root alone, as the keys are.
 * What it says goes into the next snapshot, so nothing of it is used that a disk has changed.
 *
 * ```
 * "PLEACHW2" | root of the snapshot (32)
 * directories: count of ids | ids | count of trees | { length | tree }…      numbers: uint32 LE
 * listing:     { length of path | path | offset, uint64 LE | length | CRC-32 of the directory }…
 * offset of the listing, uint64 LE | CRC-32 of the listing
 * ```
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { crc32 } from "node:zlib";
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import { idBytes, type ShardId } from "../../../../protocol/ids.ts";
import { decodeTree } from "../../../../protocol/backup/tree-decode.ts";
import type { TreeEntry } from "../../../../protocol/backup/tree.ts";
import { eraseFile } from "../keys/secret-file.ts";

const MAGIC = Buffer.from("PLEACHW2");
const HEAD_BYTES = MAGIC.length + 32;
const FOOT_BYTES = 12;
const PLACE_BYTES = 16;
const WRITE_BYTES = 1024 * 1024;

export interface CachedDirectory {
  /** Ids of its tree chunks. */
  readonly ids: Uint8Array;
  readonly trees: readonly Uint8Array[];
  readonly entries: ReadonlyMap<string, TreeEntry>;
}

interface Place {
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

export class WalkCache {
  readonly #fd: number;
  /** By path; a byte is a character, so that any name can be a key. */
  readonly #places: ReadonlyMap<string, Place>;

  private constructor(fd: number, places: ReadonlyMap<string, Place>) {
    this.#fd = fd;
    this.#places = places;
  }

  /** Undefined when there is no sound cache of that snapshot. */
  static open(file: string, root: ShardId): WalkCache | undefined {
    let fd: number;
    try {
      fd = openSync(file, "r");
    } catch {
      return undefined;
    }
    try {
      const head = readAt(fd, 0, HEAD_BYTES);
      if (!head.equals(Buffer.concat([MAGIC, idBytes(root)]))) throw new RangeError("head");
      return new WalkCache(fd, readListing(fd));
    } catch {
      closeSync(fd);
      return undefined;
    }
  }

  /** What stood in a directory. @param path - Absolute, a byte is a character. */
  directory(path: string): CachedDirectory | undefined {
    const place = this.#places.get(path);
    if (place === undefined) return undefined;
    try {
      const bytes = readAt(this.#fd, place.offset, place.length);
      return crc32(bytes) === place.crc ? parseDirectory(bytes) : undefined;
    } catch {
      return undefined;
    }
  }

  /** All of them; one that cannot be read is left out. */
  *directories(): Generator<CachedDirectory> {
    for (const path of this.#places.keys()) {
      const directory = this.directory(path);
      if (directory !== undefined) yield directory;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/**
 * Writes the cache of a run under a temporary name, until {@link WalkCacheWriter.publish}. Where it
 * cannot be written the run goes on without it: see {@link WalkCacheWriter.trouble}.
 */
export class WalkCacheWriter {
  readonly #file: string;
  #fd: number | undefined;
  #trouble: string | undefined;
  readonly #buffer = Buffer.allocUnsafeSlow(WRITE_BYTES);
  #bufferedBytes = 0;
  #offset = HEAD_BYTES;
  readonly #listing: (Place & { readonly path: string })[] = [];

  constructor(file: string) {
    this.#file = file;
    this.#attempt(() => {
      // A run that was killed leaves names.
      eraseFile(temporary(file));
      this.#fd = openSync(temporary(file), "w", 0o600);
      writeAll(this.#fd, Buffer.alloc(HEAD_BYTES));
    });
  }

  /** Why there is no new cache, such as a full disk; undefined while there will be one. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  add(path: string, ids: Uint8Array, trees: readonly Uint8Array[]): void {
    const parts = [uint32(ids.length / CHUNK_ID_BYTES), ids, uint32(trees.length)];
    for (const tree of trees) parts.push(uint32(tree.length), tree);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const crc = crcOf(parts);
    this.#listing.push({ path, offset: this.#offset, length, crc });
    this.#write(parts);
  }

  /** Makes it the cache of this snapshot. */
  publish(root: ShardId): void {
    const listingAt = this.#offset;
    let listingCrc = 0;
    for (const { path, offset, length, crc } of this.#listing) {
      const name = Buffer.from(path, "latin1");
      const parts = [uint32(name.length), name, uint64(offset), uint32(length), uint32(crc)];
      listingCrc = crcOf(parts, listingCrc);
      this.#write(parts);
    }
    this.#write([uint64(listingAt), uint32(listingCrc)]);
    this.#flush();
    this.#attempt(() => {
      if (this.#fd === undefined) return;
      writeAll(this.#fd, Buffer.concat([MAGIC, idBytes(root)]), 0);
      fsyncSync(this.#fd);
      closeSync(this.#fd);
      this.#fd = undefined;
      renameSync(temporary(this.#file), this.#file);
    });
  }

  abandon(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    eraseFile(temporary(this.#file));
  }

  /** Copies the parts: a small one would keep the pool alive that it lies in. */
  #write(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      if (this.#bufferedBytes + part.length > WRITE_BYTES) this.#flush();
      if (part.length > WRITE_BYTES) this.#store(part);
      else {
        this.#buffer.set(part, this.#bufferedBytes);
        this.#bufferedBytes += part.length;
      }
      this.#offset += part.length;
    }
  }

  #flush(): void {
    this.#store(this.#buffer.subarray(0, this.#bufferedBytes));
    this.#bufferedBytes = 0;
  }

  #store(bytes: Uint8Array): void {
    this.#attempt(() => {
      if (this.#fd !== undefined) writeAll(this.#fd, bytes);
    });
  }

  /** What the disk refuses is no reason to fail. What else goes wrong is. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof Error && "syscall" in error)) throw error;
      this.#trouble ??= error.message;
      this.abandon();
    }
  }
}

/** @param from - Default: where the last write ended. */
function writeAll(fd: number, bytes: Uint8Array, from?: number): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(fd, bytes, at, bytes.length - at, from === undefined ? null : from + at);
  }
}

function parseDirectory(bytes: Buffer): CachedDirectory {
  const idsEnd = 4 + bytes.readUInt32LE(0) * CHUNK_ID_BYTES;
  const ids = bytes.subarray(4, idsEnd);
  const trees: Buffer[] = [];
  const entries = new Map<string, TreeEntry>();
  let at = idsEnd + 4;
  let last: Uint8Array | undefined;
  for (let left = bytes.readUInt32LE(idsEnd); left > 0; left--) {
    const end = at + 4 + bytes.readUInt32LE(at);
    const tree = bytes.subarray(at + 4, end);
    trees.push(tree);
    for (const entry of decodeTree(tree, last)) {
      entries.set(Buffer.from(entry.name).toString("latin1"), entry);
      last = entry.name;
    }
    at = end;
  }
  return { ids, trees, entries };
}

function readListing(fd: number): ReadonlyMap<string, Place> {
  const size = fstatSync(fd).size;
  const foot = readAt(fd, size - FOOT_BYTES, FOOT_BYTES);
  const start = Number(foot.readBigUInt64LE());
  const listing = readAt(fd, start, size - FOOT_BYTES - start);
  if (crc32(listing) !== foot.readUInt32LE(8)) throw new RangeError("changed");
  const places = new Map<string, Place>();
  for (let at = 0; at < listing.length;) {
    const nameEnd = at + 4 + listing.readUInt32LE(at);
    const path = listing.toString("latin1", at + 4, nameEnd);
    const offset = Number(listing.readBigUInt64LE(nameEnd));
    const length = listing.readUInt32LE(nameEnd + 8);
    places.set(path, { offset, length, crc: listing.readUInt32LE(nameEnd + 12) });
    at = nameEnd + PLACE_BYTES;
  }
  return places;
}

function readAt(fd: number, offset: number, length: number): Buffer {
  if (length < 0 || offset < 0) throw new RangeError("outside");
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const got = readSync(fd, bytes, at, length - at, offset + at);
    if (got === 0) throw new RangeError("cut off");
    at += got;
  }
  return bytes;
}

function crcOf(parts: readonly Uint8Array[], before = 0): number {
  return parts.reduce((crc, part) => crc32(part, crc), before);
}

function temporary(file: string): string {
  return `${file}.tmp`;
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
