/**
 * Looks for bytes that must not be somewhere: raw, as hexadecimal, as base64.
 *
 * All are looked for in one pass, found by their first four bytes, so that thousands of them take
 * no longer than one.
 */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";

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

/** Canaries in all their forms, made by {@link needlesOf}. */
export interface Needles {
  /** By their first four bytes, as a number. */
  readonly byStart: ReadonlyMap<number, readonly Needle[]>;
  /** 1 where a start may be known: most of the bytes that are searched end here. */
  readonly filter: Uint8Array;
  readonly longestBytes: number;
}

const CHUNK_BYTES = 8 * 1024 * 1024;
const LEAST_BYTES = 8;
const START_BYTES = 4;
const FILTER_BITS = 20;

/** All forms of the canaries. @throws RangeError for a canary so short that chance would find it. */
export function needlesOf(canaries: readonly Canary[]): Needles {
  const byStart = new Map<number, Needle[]>();
  const filter = new Uint8Array(1 << FILTER_BITS);
  let longestBytes = START_BYTES;
  for (const needle of canaries.flatMap(formsOf)) {
    const start = needle.bytes.readUInt32BE(0);
    const same = byStart.get(start);
    if (same === undefined) byStart.set(start, [needle]);
    else same.push(needle);
    filter[slot(start)] = 1;
    longestBytes = Math.max(longestBytes, needle.bytes.length);
  }
  return { byStart, filter, longestBytes };
}

function formsOf({ name, bytes }: Canary): readonly Needle[] {
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
    forms.push([`base64url+${shift}`, Buffer.from(core.replaceAll("+", "-").replaceAll("/", "_"))]);
  }
  return forms.map(([form, needle]) => ({ canary: name, form, bytes: needle }));
}

/** Multiplicative hashing, after Knuth. */
function slot(start: number): number {
  return Math.imul(start, 0x9e3779b1) >>> (32 - FILTER_BITS);
}

/** The first sighting of each needle in each file below a folder, file names included. */
export function searchTree(folder: string, needles: Needles): readonly Sighting[] {
  const found: Sighting[] = [];
  const visit = (path: Buffer, name: Buffer): void => {
    const file = path.toString();
    for (const [needle, offset] of sightings(name, needles)) {
      found.push({ ...sighting(needle), file, offset });
    }
    const stat = lstatSync(path);
    if (stat.isDirectory()) {
      for (const entry of readdirSync(path, { encoding: "buffer" })) {
        visit(Buffer.concat([path, SLASH, entry]), entry);
      }
    } else if (stat.isFile()) found.push(...searchFile(file, path, needles));
  };
  visit(Buffer.from(folder), Buffer.alloc(0));
  return found;
}

const SLASH = Buffer.from("/");

function searchFile(name: string, path: Buffer, needles: Needles): readonly Sighting[] {
  const found: Sighting[] = [];
  const seen = new Set<Needle>();
  const overlap = needles.longestBytes - 1;
  const buffer = Buffer.alloc(CHUNK_BYTES + overlap);
  const file = openSync(path, "r");
  try {
    let kept = 0;
    for (let at = 0; ;) {
      const size = readSync(file, buffer, kept, CHUNK_BYTES, at);
      if (size === 0) return found;
      const window = buffer.subarray(0, kept + size);
      for (const [needle, offset] of sightings(window, needles)) {
        if (seen.has(needle)) continue;
        found.push({ ...sighting(needle), file: name, offset: at - kept + offset });
        seen.add(needle);
      }
      at += size;
      kept = Math.min(overlap, window.length);
      window.copyWithin(0, window.length - kept);
    }
  } finally {
    closeSync(file);
  }
}

/** Every place where a needle lies whole in the bytes. */
function sightings(bytes: Buffer, { byStart, filter }: Needles): readonly [Needle, number][] {
  const found: [Needle, number][] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; at++) {
    start = ((start << 8) | (bytes[at] ?? 0)) >>> 0;
    if (filter[slot(start)] === 0) continue;
    const offset = at - START_BYTES + 1;
    for (const needle of byStart.get(start) ?? []) {
      const end = offset + needle.bytes.length;
      if (offset < 0 || end > bytes.length) continue;
      if (needle.bytes.equals(bytes.subarray(offset, end))) found.push([needle, offset]);
    }
  }
  return found;
}

function sighting({ canary, form }: Needle): { readonly canary: string; readonly form: string } {
  return { canary, form };
}
