/** A data set that changes from round to round, and what a restore of it has to bring back. */
import { createCipheriv, createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import type { SeededRandom } from "../fakes/seeded-random.ts";

const MIB = 1024 * 1024;
const LARGE_FILES = 5;
const SMALL_FILES = 40;

/** Of each path below a folder: kind, mode, time and content, in words. */
export type Manifest = ReadonlyMap<string, string>;

export class SourceTree {
  readonly folder: string;

  /** @param folder - Does not exist yet. */
  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(join(folder, "large"), { recursive: true });
    mkdirSync(join(folder, "small"));
  }

  /** Writes some files anew, adds, renames and removes others. @returns what it is like then. */
  change(random: SeededRandom): Manifest {
    const at = (...steps: string[]): string => join(this.folder, ...steps);
    for (let count = 1 + random.below(2); count > 0; count--) {
      const size = Math.floor(random.between(1, 3.5) * MIB);
      writeFileSync(at("large", String(random.below(LARGE_FILES))), noise(random, size));
    }
    for (let count = 1 + random.below(6); count > 0; count--) {
      const file = at("small", String(random.below(SMALL_FILES)));
      if (random.chance(0.2)) rmSync(file, { force: true });
      else writeFileSync(file, noise(random, random.below(20_000)), { mode: 0o640 });
    }
    const [first] = readdirSync(at("small"));
    if (first !== undefined && random.chance(0.3)) {
      renameSync(at("small", first), at("small", `renamed-${random.below(5)}`));
    }
    rmSync(at("link"), { force: true });
    symlinkSync(`large/${random.below(LARGE_FILES)}`, at("link"));
    return manifestOf(this.folder);
  }
}

export function manifestOf(folder: string): Manifest {
  const found = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mode, mtimeNs } = lstatSync(path, { bigint: true });
    const content = entry.isFile()
      ? createHash("sha256").update(readFileSync(path)).digest("hex")
      : entry.isSymbolicLink()
        ? readlinkSync(path)
        : "";
    found.set(relative(folder, path), `${mode.toString(8)} ${mtimeNs} ${content}`);
  }
  return found;
}

/** Up to ten paths that are not alike, in words. Empty: both are the same. */
export function differences(expected: Manifest, found: Manifest): string[] {
  const paths = new Set([...expected.keys(), ...found.keys()]);
  return [...paths]
    .filter((path) => expected.get(path) !== found.get(path))
    .slice(0, 10)
    .map(
      (path) => `${path}: ${expected.get(path) ?? "not there"}, now ${found.get(path) ?? "gone"}`,
    );
}

/** Bytes that do not compress, the same for the same draw. */
function noise(random: SeededRandom, sizeBytes: number): Uint8Array {
  const cipher = createCipheriv("aes-128-ctr", random.bytes(16), Buffer.alloc(16));
  return cipher.update(new Uint8Array(sizeBytes));
}
