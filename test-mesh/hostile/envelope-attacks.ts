/**
 * Entries that a hacked member may send: forged, replayed, malleated, or against the rules of logs.
 */
import { decodeCbor, encodeCbor, type CborValue } from "../../protocol/encoding/cbor.ts";
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { resignEnvelope } from "../fakes/resign.ts";
import type { FreeLog } from "./free-log.ts";
import { honest, rawUpdate, version } from "./yjs-attacks.ts";

interface Means {
  /** A new log of the attacker's. */
  readonly log: FreeLog;
  /** One that it signs for another mesh. */
  readonly elsewhere: FreeLog;
  readonly key: SigningKey;
  /** An entry of somebody else. */
  readonly victim: Envelope;
}

export interface EnvelopeAttack {
  readonly name: string;
  /** What the log of the daemon says, after "it ". */
  readonly because: RegExp;
  /** Entries of which all but the last are sound. */
  readonly make: (means: Means) => readonly (Envelope | Uint8Array)[];
}

/** The order of the group of Ed25519 (RFC 8032 section 5.1). */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The same entry with the other S that verifies where its range is not checked. */
export function malleated({ bytes }: Pick<Envelope, "bytes">): Uint8Array {
  const frame = frameOf(bytes);
  const signature = frame["signature"] as Uint8Array;
  const s = BigInt(`0x${Buffer.from(signature.slice(32)).reverse().toString("hex")}`) + ORDER;
  const high = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
  return encodeCbor({ ...frame, signature: Uint8Array.from([...signature.slice(0, 32), ...high]) });
}

function frameOf(bytes: Uint8Array): Readonly<Record<string, CborValue>> {
  return decodeCbor(bytes, bytes.length) as Readonly<Record<string, CborValue>>;
}

/** A large snapshot: more records than a log may hold, each as small as can be. */
function bomb(log: FreeLog): Envelope {
  const records = Array.from({ length: 4_500 }, (_, i) => honest(`${i}`, 0));
  return log.snapshot(records);
}

export const ENVELOPE_ATTACKS: readonly EnvelopeAttack[] = [
  {
    name: "an update for another author's log",
    because: /was not signed by its author/,
    make: ({ key, victim }) => [resignEnvelope(key, victim.bytes, { seq: victim.header.seq + 1 })],
  },
  {
    name: "a malleated signature",
    because: /was not signed by its author/,
    make: ({ log }) => [malleated(log.snapshot())],
  },
  {
    name: "an entry of another mesh",
    because: /belongs to another mesh/,
    make: ({ elsewhere }) => [elsewhere.snapshot()],
  },
  {
    name: "another payload under the same signature",
    because: /carries something else than what was signed/,
    make: ({ log }) => [
      encodeCbor({ ...frameOf(log.snapshot().bytes), payload: Uint8Array.of(0, 1) }),
    ],
  },
  {
    name: "an update above 64 KiB",
    because: /is not written as an entry has to be/,
    make: ({ log, key }) => {
      const start = log.snapshot();
      const update = log.update(honest("k", 1));
      return [start, resignEnvelope(key, update.bytes, {}, new Uint8Array(64 * 1024 + 1))];
    },
  },
  {
    name: "a field beside the signed ones",
    because: /is not written as an entry has to be/,
    make: ({ log }) => [encodeCbor({ ...frameOf(log.snapshot().bytes), more: 1 })],
  },
  {
    name: "a fork of a client id: the same id and clock, another content",
    because: /stands where its author signed something else|lies beyond what counts/,
    make: ({ log }) => {
      const start = log.snapshot();
      const { client, clock } = { client: log.clientId, clock: log.clock };
      const item = { key: "k", value: version("two") };
      const bytes = rawUpdate({ client, clock, items: [item] });
      const fork = log.sign({ bytes, clockAfter: clock + 1 });
      return [start, log.update(honest("k", "one")), fork];
    },
  },
  {
    name: "a snapshot of more records than a log may hold",
    because: /makes its log larger than a log may be/,
    make: ({ log }) => [bomb(log)],
  },
  {
    name: "a clock that its header does not tell",
    because: /does not go on where its log ends/,
    make: ({ log, key }) => {
      const start = log.snapshot();
      const { bytes } = log.update(honest("k", 1));
      return [start, resignEnvelope(key, bytes, { clockAfter: 2 ** 40 })];
    },
  },
];
