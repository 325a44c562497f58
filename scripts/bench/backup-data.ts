/** The data that is backed up, and a look at what came back. */
import { createCipheriv, randomBytes, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { appendFile, cp, lstat, mkdir, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const PIECE_BYTES = 1024 * 1024;
const FILES = 20;
const PROGRAM_FOLDERS = ["/usr/bin", "/usr/lib"];
/** One of so many files, or MiB, is changed. */
const CHANGED_OF = 100;
const MANY_FILES = 1000;

export interface TreeSize {
  readonly files: number;
  readonly bytes: number;
}

/** A copy, so that it changes under nobody and lies on the same disk as all the rest. */
export async function copyTree(source: string, target: string): Promise<void> {
  await cp(source, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
}

/**
 * Twenty files of one size: in turn a piece of programs and libraries of this machine, as
 * long as there are any, of noise, as of media, of numbers of four bits, as of measurements, and
 * of records, as of a database. No piece comes twice.
 *
 * @param mebibytes - Of all of them together; the rest of a division by twenty is left out.
 */
export async function makeLargeFiles(folder: string, mebibytes: number): Promise<void> {
  await mkdir(folder);
  const pieces = largePieces();
  for (let file = 0; file < FILES; file++) {
    const part = async function* (): AsyncGenerator<Uint8Array> {
      for (let piece = 0; piece < Math.floor(mebibytes / FILES); piece++) {
        const { value } = await pieces.next();
        if (value !== undefined) yield value;
      }
    };
    await pipeline(Readable.from(part()), createWriteStream(join(folder, `large-${file}.bin`)));
  }
}

async function* largePieces(): AsyncGenerator<Uint8Array, undefined> {
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(PIECE_BYTES);
  const programs = programPieces();
  for (let piece = 0; ; piece++) {
    const bytes = noise.update(zeros);
    const program = piece % 4 === 3 ? (await programs.next()).value : undefined;
    if (piece % 4 === 1)
      for (let at = 0; at < bytes.length; at++) bytes[at] = (bytes[at] ?? 0) & 15;
    yield program ?? (piece % 4 === 2 ? records(bytes) : bytes);
  }
}

/** The binaries of this machine, in pieces; files that are shorter than a piece are left out. */
async function* programPieces(): AsyncGenerator<Uint8Array, undefined> {
  for (const folder of PROGRAM_FOLDERS) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((each) => join(each.parentPath, each.name));
    for (const path of paths.toSorted()) {
      if ((await lstat(path)).size < PIECE_BYTES) continue;
      const bytes = await readFile(path);
      for (let at = 0; at + PIECE_BYTES <= bytes.length; at += PIECE_BYTES) {
        yield bytes.subarray(at, at + PIECE_BYTES);
      }
    }
  }
  return undefined;
}

/**
 * Changes 1 %: of many files each hundredth gets a line more; of few, each hundredth MiB of each
 * is overwritten. With other bytes at each call.
 */
export async function changeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((each) => join(each.parentPath, each.name));
  if (files.length >= MANY_FILES) {
    for (let at = 0; at < files.length; at += CHANGED_OF) {
      await appendFile(files[at] ?? "", `\n${randomUUID()}\n`);
    }
    return;
  }
  for (const file of files) {
    const handle = await open(file, "r+");
    const { size } = await handle.stat();
    for (let at = 0; at < size; at += CHANGED_OF * PIECE_BYTES) {
      await handle.write(randomBytes(Math.min(PIECE_BYTES, size - at)), 0, undefined, at);
    }
    await handle.close();
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
