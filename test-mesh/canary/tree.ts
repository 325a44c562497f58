/**
 * A tree whose every name and content is random, so that none of it is anywhere else by chance,
 * and compression cannot hide any of it.
 */
import { createHash, randomBytes, randomInt } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import type { Canary } from "./search.ts";

/** Each secret is two canaries: where one is cut by the end of a frame, the other is whole. */
const HALF_BYTES = 12;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Around all borders of the format: packed with others, whole, cut by content, several shards. */
const FILE_SIZES: readonly number[] = [
  ...[24, 100, 1000, 4096, 20_000, 70_000, 262_143, 262_144],
  ...[300_000, 1_500_000, 5_000_000],
];

export interface CanaryTree {
  /** Regular files. */
  readonly files: number;
  /** Names of files and directories, targets of links. */
  readonly names: readonly Canary[];
  /** Beginning, middle and end of each file. */
  readonly contents: readonly Canary[];
  /** SHA-256 of each file. */
  readonly hashes: readonly Canary[];
  /** One of the files with a name of text. */
  readonly textFile: string;
}

/** Half of the names and of the files are text, the other half any bytes that may stand there. */
export function makeCanaryTree(folder: string): CanaryTree {
  const names: Canary[] = [];
  const contents: Canary[] = [];
  const hashes: Canary[] = [];
  const named = (what: string, bytes: Buffer): Buffer => {
    names.push(...halves(what, bytes));
    return bytes;
  };
  let textFile = "";
  let files = 0;
  for (const kind of ["text", "bytes"] as const) {
    const random = kind === "text" ? randomText : randomBytes;
    const name = (what: string): Buffer =>
      named(`name of the ${kind} ${what}`, nameOf(random(2 * HALF_BYTES)));
    const directory = within(Buffer.from(folder), name("directory"));
    mkdirSync(directory, { mode: 0o755 });
    symlinkSync(name("link's target"), within(directory, name("link")));
    for (const sizeBytes of FILE_SIZES) {
      const what = `${kind} file of ${sizeBytes}`;
      const content = random(sizeBytes);
      const file = within(directory, name(`file of ${sizeBytes}`));
      if (kind === "text") textFile = file.toString();
      writeFileSync(file, content, { mode: 0o644 });
      files += 1;
      hashes.push({ name: `hash of the ${what}`, bytes: sha256(content) });
      const last = sizeBytes - 2 * HALF_BYTES;
      for (const at of new Set([0, Math.floor(last / 2), last])) {
        const secret = content.subarray(at, at + 2 * HALF_BYTES);
        contents.push(...halves(`${what} at ${at}`, secret));
      }
    }
  }
  return { files, names, contents, hashes, textFile };
}

/** @param sizeBytes - Also its number of characters. */
export function randomText(sizeBytes: number): Buffer {
  return Buffer.from(
    randomBytes(sizeBytes).map((byte) => LETTERS.charCodeAt(byte % LETTERS.length)),
  );
}

function halves(name: string, bytes: Buffer): readonly Canary[] {
  return [
    { name, bytes: bytes.subarray(0, HALF_BYTES) },
    { name, bytes: bytes.subarray(HALF_BYTES) },
  ];
}

/** Without the two bytes that no name may have. */
function nameOf(bytes: Buffer): Buffer {
  return Buffer.from(
    bytes.map((byte) => (byte === 0 || byte === 0x2f ? randomInt(0x80, 0x100) : byte)),
  );
}

function within(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from("/"), name]);
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
