/** The data that is backed up, and a look at what came back. */
import { createCipheriv } from "node:crypto";
import { createWriteStream } from "node:fs";
import { cp, lstat, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const PIECE_BYTES = 1024 * 1024;
const FILE_PIECES = 100;
const FILES = 6;

export interface TreeSize {
  readonly files: number;
  readonly bytes: number;
}

/** A copy, so that it changes under nobody and lies on the same disk as all the rest. */
export async function copyTree(source: string, target: string): Promise<void> {
  await cp(source, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
}

/**
 * Six files, 600 MiB in all: in turn a piece of noise, as of media, a piece of numbers of four
 * bits, as of measurements, and a piece of records, as of a database. Always the same, no piece
 * twice.
 */
export async function makeLargeFiles(folder: string): Promise<void> {
  await mkdir(folder);
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(PIECE_BYTES);
  const pieces = function* (): Generator<Uint8Array> {
    for (let piece = 0; piece < FILE_PIECES; piece++) {
      const bytes = noise.update(zeros);
      if (piece % 3 === 1)
        for (let at = 0; at < bytes.length; at++) bytes[at] = (bytes[at] ?? 0) & 15;
      yield piece % 3 === 2 ? records(bytes) : bytes;
    }
  };
  for (let file = 0; file < FILES; file++) {
    await pipeline(Readable.from(pieces()), createWriteStream(join(folder, `large-${file}.bin`)));
  }
}

/** Rows of 64 bytes that differ in some eight of them. */
function records(noise: Buffer): Uint8Array {
  for (let at = 0; at < noise.length; at += 64) {
    noise.write(
      `row=${String(at).padStart(12, "0")};state=active;owner=quimper;value=`,
      at,
      "latin1",
    );
  }
  return noise;
}

/** Regular files below a directory, and their bytes. */
export async function sizeOfTree(folder: string): Promise<TreeSize> {
  let [files, bytes] = [0, 0];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return { files, bytes };
}

/** Reads everything once, so that the first contestant finds as much in memory as the last. */
export async function warm(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await readFile(join(entry.parentPath, entry.name));
  }
}
