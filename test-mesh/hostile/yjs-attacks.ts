/**
 * Payloads that a hacked member may sign in a log of its own: what is known to break programs that
 * hand an update to Yjs as it came (Yjs THREAT_MODEL.md), and forms that readers disagree about.
 */
import { createID, UpdateEncoderV1 } from "yjs";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import type { RecordVersion } from "../../protocol/logs/record-version.ts";
import { ROOT } from "../../daemon/core/logs/admission.ts";

/** The document that an attack meets: its writer, and a log of somebody else. */
export interface Target {
  /** The attacker's own client, and how far its clock is. */
  readonly client: number;
  readonly clock: number;
  /** The client of the victim's log, and how far its clock is. */
  readonly victim: number;
  readonly victimClock: number;
}

export interface Attack {
  readonly name: string;
  /** What the log of the daemon says, after "it ". */
  readonly because: RegExp;
  readonly payload: (target: Target) => { readonly bytes: Uint8Array; readonly clockAfter: number };
}

/** An item as the encoder takes it. */
export interface RawItem {
  readonly key?: string;
  readonly root?: string;
  readonly origin?: { readonly client: number; readonly clock: number };
  readonly value: unknown;
}

const TYPE = 7;
const ANY = 8;
const LIST = 0;
const MAP = 1;
const HAS_KEY = 0x20;
const HAS_ORIGIN = 0x80;

/** An update in the encoding of Yjs, of whatever one likes. */
export function rawUpdate(
  structs: { readonly client: number; readonly clock: number; readonly items: readonly RawItem[] },
  deletes: readonly { client: number; clock: number; len: number }[] = [],
): Uint8Array {
  const encoder = new UpdateEncoderV1();
  encoder.writeLen(structs.items.length > 0 ? 1 : 0);
  if (structs.items.length > 0) {
    encoder.writeLen(structs.items.length);
    encoder.writeClient(structs.client);
    encoder.writeLen(structs.clock);
  }
  for (const { key = "k", root = ROOT, origin, value } of structs.items) {
    encoder.writeInfo(ANY | HAS_KEY | (origin === undefined ? 0 : HAS_ORIGIN));
    if (origin === undefined) {
      encoder.writeParentInfo(true);
      encoder.writeString(root);
      encoder.writeString(key);
    } else encoder.writeLeftID(createID(origin.client, origin.clock));
    encoder.writeLen(1);
    encoder.writeAny(value);
  }
  encoder.writeLen(deletes.length);
  for (const { client, clock, len } of deletes) {
    encoder.writeClient(client);
    encoder.writeLen(1);
    encoder.writeDsClock(clock);
    encoder.writeDsLen(len);
  }
  return encoder.toUint8Array();
}

/** What an honest writer would put under a key, with another value in it. */
export function version(x: unknown): { l: number; s: string[]; x: unknown } {
  return { l: 1, s: [], x };
}

/** A record as an honest writer takes it. */
export function honest(key: string, value: JsonValue): readonly [string, RecordVersion] {
  return [key, { lamport: 1, supersedes: [], value }];
}

/** Own items, honest but for what the test says. */
function own(target: Target, ...items: RawItem[]): { bytes: Uint8Array; clockAfter: number } {
  const { client, clock } = target;
  return { bytes: rawUpdate({ client, clock, items }), clockAfter: clock + items.length };
}

function varint(value: bigint): number[] {
  return value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];
}

/** Maps in maps: Yjs takes them in and can then neither read nor load the document. */
function nested({ client, clock }: Target, depth: number, typeRef: 0 | 1) {
  const encoder = new UpdateEncoderV1();
  encoder.writeLen(1);
  encoder.writeLen(depth);
  encoder.writeClient(client);
  encoder.writeLen(clock);
  for (let level = 0; level < depth; level++) {
    encoder.writeInfo(TYPE | HAS_KEY);
    encoder.writeParentInfo(level === 0);
    if (level === 0) encoder.writeString(ROOT);
    else encoder.writeLeftID(createID(client, clock + level - 1));
    encoder.writeString("n");
    encoder.writeTypeRef(typeRef);
  }
  encoder.writeLen(0);
  return { bytes: encoder.toUint8Array(), clockAfter: clock + depth };
}

/** An array in an array, so deep that a reader by recursion ends. */
function deepValue(depth: number): Uint8Array {
  const arrays = Array.from({ length: depth }, () => [117, 1]).flat();
  return Uint8Array.from([...arrays, 126]);
}

/** A record whose value stands there as raw bytes of lib0. */
function withRawValue({ client, clock }: Target, value: Uint8Array) {
  const placed = rawUpdate({ client, clock, items: [{ value: null }] });
  // The value is one byte (126, null) before the empty delete set.
  const bytes = Uint8Array.from([...placed.subarray(0, -2), ...value, 0]);
  return { bytes, clockAfter: clock + 1 };
}

/** What Yjs writes in its second format for a map with one record; reading it is what can abort. */
const VERSION_2 = Buffer.from(
  "0000012a000001280502726b410001010001010101007603016c7d0101737500017877067365636f6e6400",
  "hex",
);

const NO_RECORD = /holds something that is no record/;
const NO_UPDATE = /is no Yjs update in the one encoding/;

export const YJS_ATTACKS: readonly Attack[] = [
  {
    name: "foreign delete set",
    because: /deletes what another log wrote/,
    payload: ({ client, clock, victim }) => ({
      bytes: rawUpdate({ client, clock, items: [] }, [{ client: victim, clock: 0, len: 2 ** 40 }]),
      clockAfter: clock,
    }),
  },
  {
    name: "foreign clock",
    because: /writes in the name of another log/,
    payload: ({ clock, victim, victimClock }) => ({
      bytes: rawUpdate({
        client: victim,
        clock: victimClock,
        items: [{ key: "node", value: version("forged") }],
      }),
      clockAfter: clock,
    }),
  },
  {
    name: "an own clock that leaves a gap",
    because: /does not go on where its log ends/,
    payload: ({ client, clock }) => ({
      bytes: rawUpdate({ client, clock: clock + 5, items: [{ value: version(1) }] }),
      clockAfter: clock + 6,
    }),
  },
  {
    name: "a clock that is used twice",
    because: /does not go on where its log ends/,
    payload: ({ client, clock }) => ({
      bytes: rawUpdate({ client, clock: 0, items: [{ value: version("other") }] }),
      clockAfter: clock,
    }),
  },
  {
    name: "nested types",
    because: /(holds something that is no record|is no Yjs update)/,
    payload: (target) => nested(target, 4_000, MAP),
  },
  {
    name: "a value of twenty thousand levels",
    because: /(is no Yjs update|holds something that is no record)/,
    payload: (target) => withRawValue(target, deepValue(20_000)),
  },
  {
    name: "items that wait for what never comes",
    because: /builds on what its log does not hold/,
    payload: (target) => {
      const origin = { client: target.client, clock: 2 ** 40 };
      const items = Array.from({ length: 2_000 }, () => ({ origin, value: version(1) }));
      return own(target, ...items);
    },
  },
  {
    name: "items that wait for another author",
    because: /builds on what its log does not hold/,
    payload: (target) =>
      own(target, { origin: { client: target.victim, clock: 0 }, value: version(1) }),
  },
  {
    name: "a huge string",
    because: NO_RECORD,
    payload: (target) => own(target, { value: version("x".repeat(60_000)) }),
  },
  {
    name: "a collected item of 2^50",
    because: NO_RECORD,
    payload: ({ client, clock }) => ({
      bytes: Uint8Array.from([
        ...[1, 1, ...varint(BigInt(client)), ...varint(BigInt(clock))],
        ...[0, ...varint(2n ** 50n), 0],
      ]),
      clockAfter: 2 ** 50,
    }),
  },
  {
    name: "an update of version 2",
    because: NO_UPDATE,
    payload: ({ clock }) => ({ bytes: Uint8Array.from(VERSION_2), clockAfter: clock + 1 }),
  },
  {
    name: "lists longer than memory",
    because: /holds more items than an entry may/,
    payload: ({ clock }) => ({
      bytes: Uint8Array.from([1, ...varint(2n ** 52n), 1, 0, 40, 1]),
      clockAfter: clock,
    }),
  },
  {
    name: "another root",
    because: /writes outside the records/,
    payload: (target) => own(target, { root: "other", value: version(1) }),
  },
  {
    name: "a huge key",
    because: /writes outside the records/,
    payload: (target) => own(target, { key: "k".repeat(50_000), value: version(1) }),
  },
  {
    name: "a list instead of the map",
    because: NO_RECORD,
    payload: (target) => nested(target, 1, LIST),
  },
  {
    name: "a value that inherits",
    because: /(no record|encoding)/,
    payload: (target) =>
      own(target, { value: JSON.parse('{"__proto__":{"l":1,"s":[],"x":"inherited"}}') as unknown }),
  },
  {
    name: "a value that inherits further in",
    because: /(no record|encoding)/,
    payload: (target) =>
      own(target, {
        value: JSON.parse('{"l":1,"s":[],"x":{"a":{"__proto__":{"polluted":true}}}}') as unknown,
      }),
  },
  {
    name: "text that is no UTF-8",
    because: NO_UPDATE,
    payload: (target) =>
      // {l: 1, s: [], x: half of a pair}
      withRawValue(
        target,
        Uint8Array.from([118, 3, 1, 108, 125, 1, 1, 115, 117, 0, 1, 120, 119, 3, 0xed, 0xa0, 0x80]),
      ),
  },
  {
    name: "bytes after the end",
    because: NO_UPDATE,
    payload: (target) => {
      const { bytes, clockAfter } = own(target, { value: version(1) });
      return { bytes: Uint8Array.from([...bytes, ...new Uint8Array(20_000)]), clockAfter };
    },
  },
  {
    name: "more items than fit",
    because: /holds more items than an entry may/,
    payload: (target) =>
      own(target, ...Array.from({ length: 6_000 }, () => ({ key: "k", value: null }))),
  },
  {
    name: "a Lamport number from the future",
    because: NO_RECORD,
    payload: (target) => own(target, { value: { l: 2 ** 47, s: [], x: "for ever the newest" } }),
  },
];
