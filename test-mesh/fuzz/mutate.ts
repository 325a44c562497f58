/**
 * Changes of sound input that keep it nearly sound: random bytes end at the first check, and the
 * faults lie behind it.
 */
import type { CborValue } from "../../protocol/encoding/cbor.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";

type CborMap = { readonly [key: string]: CborValue };

/** Where formats end, and where numbers of other machines do. */
const NUMBERS: readonly CborValue[] = [
  ...[0, 1, -1, 2, 23, 24, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 40],
  ...[2 ** 48, 2 ** 48 + 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.5, 1e300],
  ...[2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)],
];
const TEXTS = [
  ...["", "a", "__proto__", "constructor", "toString", "SNAP", "UPD", "site", "zone", "GENESIS"],
  ...[
    "\u0000",
    "\u202e",
    "e\u0301",
    "\u{1f41f}",
    "x".repeat(300),
    "x".repeat(70_000),
    "../..",
    ".",
  ],
];

function isMap(value: CborValue | undefined): value is CborMap {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}

/** Any value, of whatever type. */
export function anyValue(random: SeededRandom, depth = 2): CborValue {
  switch (random.below(depth > 0 ? 8 : 6)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick(NUMBERS);
    case 3:
      return random.pick(TEXTS);
    case 4:
      return random.bytes(random.pick([0, 1, 16, 31, 32, 33, 64, 65]));
    case 5:
      return random.below(1000);
    case 6:
      return Array.from({ length: random.below(4) }, () => anyValue(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [
          random.pick(["v", "kind", "l", "s", "x", "", "__proto__x", "seq"]),
          anyValue(random, depth - 1),
        ]),
      );
  }
}

/** The same value with one thing changed somewhere in it. */
export function mutateValue(value: CborValue, random: SeededRandom): CborValue {
  if (Array.isArray(value)) return mutateList(value as readonly CborValue[], random);
  if (isMap(value)) return mutateMap(value, random);
  if (random.chance(0.15)) return anyValue(random);
  if (value instanceof Uint8Array)
    return random.chance(0.7) ? mutateBytes(value, random) : random.bytes(value.length);
  if (typeof value === "number") {
    return random.chance(0.5) ? value + random.pick([-1, 1, 2, -2]) : random.pick(NUMBERS);
  }
  if (typeof value === "string")
    return random.pick([...TEXTS, `${value}x`, value.slice(1), value.toUpperCase()]);
  return anyValue(random);
}

function mutateMap(map: CborMap, random: SeededRandom): CborMap {
  const keys = Object.keys(map);
  const key = keys.length === 0 ? "" : random.pick(keys);
  const chance = random.next();
  if (chance < 0.08)
    return Object.fromEntries(Object.entries(map).filter(([name]) => name !== key));
  if (chance < 0.16) return { ...map, [`${key}x`]: anyValue(random) };
  if (chance < 0.24) return { ...map, [key]: anyValue(random) };
  if (chance < 0.32 && keys.length > 1) return { ...map, [key]: map[random.pick(keys)] ?? null };
  return { ...map, [key]: mutateValue(map[key] ?? null, random) };
}

function mutateList(list: readonly CborValue[], random: SeededRandom): readonly CborValue[] {
  if (list.length === 0) return [anyValue(random)];
  const at = random.below(list.length);
  const item = list[at] ?? null;
  switch (random.below(6)) {
    case 0:
      return list.toSpliced(at, 1);
    case 1:
      return list.toSpliced(at, 0, item);
    case 2:
      return list.toReversed();
    case 3:
      return Array.from({ length: 70 }, () => item);
    default:
      return list.with(at, mutateValue(item, random));
  }
}

/** The same bytes with some flipped, cut, doubled or put in. */
export function mutateBytes(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length + 1);
  const some = random.below(9);
  switch (random.below(6)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return Uint8Array.from([...bytes.slice(0, at), ...random.bytes(some), ...bytes.slice(at)]);
    case 2:
      return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + some)]);
    case 3: {
      const from = random.below(bytes.length + 1);
      return Uint8Array.from([
        ...bytes.slice(0, at),
        ...bytes.slice(from, from + 40),
        ...bytes.slice(at),
      ]);
    }
    case 4:
      return changeByte(bytes, at, () => random.pick([0, 1, 0x7f, 0x80, 0xff]));
    default:
      return changeByte(bytes, at, (byte) => byte ^ (1 << random.below(8)));
  }
}

function changeByte(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  const before = changed[at];
  if (before !== undefined) changed[at] = change(before);
  return changed;
}
