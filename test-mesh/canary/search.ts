/**
 * Looks for bytes that must not be somewhere: raw, as hexadecimal, as base64.
 */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

/** What must not be found: a name for the report, and the bytes (8 or more). */
export interface Canary {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Sighting {
  readonly canary: string;
  /** How it was written: raw, hex, HEX or base64 with the offset of its first byte in a group. */
  readonly form: string;
  readonly file: string;
  readonly offset: number;
}

interface Needle {
  readonly canary: string;
  readonly form: string;
  readonly bytes: Buffer;
}

const CHUNK_BYTES = 8 * 1024 * 1024;
const LEAST_BYTES = 8;

/** All forms of the canaries. @throws RangeError for a canary so short that chance would find it. */
export function needlesOf(canaries: readonly Canary[]): readonly Needle[] {
  return canaries.flatMap(({ name, bytes }) => {
    if (bytes.length < LEAST_BYTES) throw new RangeError(`canary ${name} is too short`);
    const raw = Buffer.from(bytes);
    const forms: [string, Buffer][] = [
      ["raw", raw],
      ["hex", Buffer.from(raw.toString("hex"))],
      ["HEX", Buffer.from(raw.toString("hex").toUpperCase())],
    ];
    for (const shift of [0, 1, 2]) {
      // Inside a longer text the first and last characters depend on the neighbours: leave them out.
      const whole = Buffer.concat([Buffer.alloc(shift), raw]).toString("base64");
      const core = whole.slice(shift === 0 ? 0 : 4, Math.floor((shift + raw.length) / 3) * 4);
      forms.push([`base64+${shift}`, Buffer.from(core)]);
      forms.push([
        `base64url+${shift}`,
        Buffer.from(core.replaceAll("+", "-").replaceAll("/", "_")),
      ]);
    }
    return forms.map(([form, needle]) => ({ canary: name, form, bytes: needle }));
  });
}

/** The first sighting of each needle in each file below a folder, file names included. */
export function searchTree(folder: string, needles: readonly Needle[]): readonly Sighting[] {
  const found: Sighting[] = [];
  const visit = (path: string): void => {
    const name = Buffer.from(path.slice(folder.length));
    for (const needle of needles) {
      const offset = name.indexOf(needle.bytes);
      if (offset >= 0) found.push({ ...sighting(needle), file: path, offset });
    }
    const stat = lstatSync(path);
    if (stat.isDirectory()) for (const entry of readdirSync(path)) visit(join(path, entry));
    else if (stat.isFile()) found.push(...searchFile(path, needles));
  };
  visit(folder);
  return found;
}

function searchFile(path: string, needles: readonly Needle[]): readonly Sighting[] {
  const found: Sighting[] = [];
  const left = new Set(needles);
  const overlap = Math.max(...needles.map(({ bytes }) => bytes.length)) - 1;
  const buffer = Buffer.alloc(CHUNK_BYTES + overlap);
  const file = openSync(path, "r");
  try {
    let kept = 0;
    for (let at = 0; ;) {
      const size = readSync(file, buffer, kept, CHUNK_BYTES, at);
      if (size === 0) return found;
      const window = buffer.subarray(0, kept + size);
      for (const needle of left) {
        const offset = window.indexOf(needle.bytes);
        if (offset < 0) continue;
        found.push({ ...sighting(needle), file: path, offset: at - kept + offset });
        left.delete(needle);
      }
      at += size;
      kept = Math.min(overlap, window.length);
      window.copyWithin(0, window.length - kept);
    }
  } finally {
    closeSync(file);
  }
}

function sighting({ canary, form }: Needle): { readonly canary: string; readonly form: string } {
  return { canary, form };
}
