/**
 * Fuzzes the admission of entries: whatever is accepted can be read again, applied by Yjs itself,
 * loaded from disk and brought to another node, and shows the same everywhere.
 */
import assert from "node:assert/strict";
import { applyUpdate, Doc } from "yjs";
import { ROOT } from "../../daemon/core/logs/admission.ts";
import { LogDocument } from "../../daemon/core/logs/log-document.ts";
import type { State } from "../../daemon/state/state.ts";
import { decodeCbor, encodeCbor, type CborValue } from "../../protocol/encoding/cbor.ts";
import {
  clientIdOf,
  decodeEnvelope,
  EnvelopeError,
  MAX_ENVELOPE_BYTES,
  readEnvelope,
  type Envelope,
} from "../../protocol/logs/envelope.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { encodeSignedHeader } from "../../protocol/logs/signed-header.ts";
import { packVersion } from "../../protocol/logs/record-version.ts";
import { RECORD_CLASSES, type ClassName } from "../../protocol/logs/record-class.ts";
import { Founding, testKey } from "../fakes/founding.ts";
import { resignEnvelope } from "../fakes/resign.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";
import { bring, entriesOf, startMember, startState } from "../fakes/state-node.ts";
import { FakeDisk } from "../fakes/store.ts";
import { FreeLog } from "../hostile/free-log.ts";
import { honest } from "../hostile/yjs-attacks.ts";
import type { Tally } from "./tally.ts";
import { mutateBytes, mutateValue } from "./mutate.ts";
import { mutatePayload } from "./mutate-payload.ts";

type CborMap = { readonly [key: string]: CborValue };

const key = testKey("fuzzed");
const LOGS = 24;
const CLASSES: readonly ClassName[] = [...RECORD_CLASSES, "metric" as ClassName];
const KEYS = ["node", "service/web", "bzh.example/www/A/1", "x"] as const;

/** One node, some logs of one author, in each of them one thing that is not as it should be. */
export async function fuzzEntries(random: SeededRandom, tally: Tally): Promise<void> {
  const founding = new Founding("fuzz");
  const author = founding.enrol("fuzzed");
  founding.enrol("brest");
  founding.grant(author, "zone", "bzh.example");
  const disk = new FakeDisk();
  const state = await startMember("brest", founding.statements, disk);
  for (let index = 0; index < LOGS; index++) {
    for (const bytes of history(founding, index, random)) {
      if (random.chance(0.2)) await offerHeader(state, bytes, author, tally);
      const reception = await state.replica.receiveEnvelope(bytes, author);
      tally.count(typeof reception === "string" ? reception : reception.refused);
      if (typeof reception === "object") mustRefuseCleanly(bytes);
    }
  }
  await mustHold(state, founding, disk);
}

/** Headers travel alone, too: to find forks, and the chain of snapshots. */
async function offerHeader(
  state: State,
  bytes: Uint8Array,
  from: SiteId,
  tally: Tally,
): Promise<void> {
  let header;
  try {
    const { headerBytes, signature } = readEnvelope(bytes);
    header = encodeSignedHeader(headerBytes, signature);
  } catch {
    return;
  }
  const reception = await state.replica.receiveHeader(header, from);
  tally.count(`header ${typeof reception === "string" ? reception : reception.refused}`);
}

/** An honest history with one of its entries changed. */
function history(founding: Founding, index: number, random: SeededRandom): readonly Uint8Array[] {
  const place = { part: index, class: random.pick(CLASSES) };
  const log = new FreeLog(key, founding.meshId, `${index} ${random.below(1e9)}`, place);
  const entries: Envelope[] = [log.snapshot()];
  for (let count = random.below(4); count >= 0; count--) {
    const records = random.shuffled(KEYS).slice(0, 1 + random.below(3));
    entries.push(log.update(...records.map((name) => honest(name, { n: random.below(100) }))));
  }
  if (random.chance(0.3)) entries.push(log.snapshot([honest("node", "anew")]));
  const changed = random.below(entries.length);
  const sent = entries.map(({ bytes }, at) => (at === changed ? change(bytes, random) : bytes));
  if (random.chance(0.2)) sent.splice(random.below(sent.length), 0, twin(random.pick(entries)));
  return sent;
}

/** Another entry at the same place: a fork. */
function twin({ bytes }: Envelope): Uint8Array {
  return resignEnvelope(key, bytes, { wallMs: 1 });
}

function change(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const envelope = readEnvelope(bytes);
  const { clockAfter, clockBefore } = envelope.header;
  switch (random.below(6)) {
    case 0:
      return mutateBytes(bytes, random);
    case 1: {
      const header = decodeCbor(envelope.headerBytes, MAX_ENVELOPE_BYTES) as CborMap;
      const changed = mutateValue(header, random) as CborMap;
      return resignEnvelope(key, bytes, pickDefined(changed));
    }
    case 2: {
      const frame = decodeCbor(bytes, MAX_ENVELOPE_BYTES);
      return encodeCbor(mutateValue(frame, random));
    }
    case 3:
      return resignEnvelope(key, bytes, { later: mutateValue({ a: [1] }, random) });
    default: {
      const payload = mutatePayload(envelope.payload, random);
      const grown = random.chance(0.5) ? clockAfter : clockBefore + random.below(5);
      return resignEnvelope(key, bytes, { clockAfter: grown }, payload);
    }
  }
}

/** Fields that were taken away stay away only where the signer does not put them back. */
function pickDefined(header: CborMap): CborMap {
  return Object.fromEntries(Object.entries(header).filter(([, value]) => value !== undefined));
}

/** What is refused is refused with a reason, again and again. */
function mustRefuseCleanly(bytes: Uint8Array): void {
  try {
    decodeEnvelope(bytes);
  } catch (error) {
    assert.ok(error instanceof EnvelopeError, String(error));
  }
}

async function mustHold(state: State, founding: Founding, disk: FakeDisk): Promise<void> {
  const entries = await entriesOf(state);
  const byLog = Map.groupBy(entries.map(mustBeCanonical), ({ log }) => log);
  for (const held of byLog.values()) mustApply(held);
  for (const name of RECORD_CLASSES) {
    for (const { key: at, value } of state.view().entries(name)) {
      assert.ok(at.length > 0);
      JSON.parse(JSON.stringify(value));
    }
  }
  const again = await startState("brest", disk);
  mustEqual(again, state);
  const fresh = await startMember("quimper", founding.statements);
  await bring(state, fresh);
  mustEqual(fresh, state);
}

function mustEqual(a: State, b: State): void {
  assert.equal(a.replica.statementDigest(), b.replica.statementDigest());
  assert.equal(a.replica.stateDigest(), b.replica.stateDigest());
  assert.equal(a.view().hash, b.view().hash);
}

/** Accepted bytes are the one encoding of what they say. */
function mustBeCanonical(bytes: Uint8Array): Envelope {
  const envelope = decodeEnvelope(bytes);
  assert.deepEqual(encodeCbor(decodeCbor(bytes, MAX_ENVELOPE_BYTES)), bytes);
  const { headerBytes } = readEnvelope(bytes);
  assert.deepEqual(encodeCbor(decodeCbor(headerBytes, MAX_ENVELOPE_BYTES)), headerBytes);
  return envelope;
}

/** Yjs reads in the accepted payloads of a log what our reader of them reads. */
function mustApply(entries: readonly Envelope[]): void {
  let document: LogDocument | undefined;
  let doc = new Doc();
  for (const envelope of entries.toSorted((a, b) => a.header.seq - b.header.seq)) {
    const { header, payload, log } = envelope;
    if (header.kind === "SNAP") {
      const started = LogDocument.start(envelope);
      assert.ok(typeof started !== "string");
      document = started;
      doc = new Doc();
      doc.clientID = clientIdOf(log, header.seq) + 1;
    } else if (header.kind === "UPD") {
      assert.equal(document?.apply(envelope), undefined);
    } else return;
    applyUpdate(doc, payload);
    assert.equal(doc.store.pendingStructs, null);
    assert.equal(doc.store.pendingDs, null);
    const shown = [...doc.getMap(ROOT).entries()].toSorted(byKey);
    const read = [...(document?.records ?? [])].map(
      ([name, at]) => [name, packVersion(at)] as const,
    );
    assert.deepEqual(shown, read.toSorted(byKey));
  }
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
