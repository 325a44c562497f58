/** What a member may sign with its own key to harm others, and what comes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyUpdate, Doc, encodeStateAsUpdate, getState } from "yjs";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { startMember } from "../../test-mesh/fakes/state-node.ts";
import {
  clientIdOf,
  logIdOf,
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
} from "../../protocol/envelope.ts";
import { signSiteRelease } from "../../protocol/site-statement.ts";
import { idOf, type EnvelopeId, type SiteId } from "../../protocol/ids.ts";
import type { State } from "./state.ts";

/** A member that signs whatever it likes in one log of its own. */
class HostileLog {
  readonly #key = testKey("thief");
  readonly #founding: Founding;
  readonly #salt: Uint8Array;
  #doc = new Doc();
  #seq: number;
  #head: EnvelopeId | null;
  #snapshot: EnvelopeId | null = null;

  /** @param before - The entry that its first one claims to follow; none for a new log. */
  constructor(founding: Founding, salt = 1, before?: { seq: number; id: EnvelopeId }) {
    this.#founding = founding;
    this.#salt = new Uint8Array(16).fill(salt);
    this.#seq = before?.seq ?? 0;
    this.#head = before?.id ?? null;
    this.#snapshot = before?.id ?? null;
  }

  /** The same log, which goes on apart from now. */
  copy(): HostileLog {
    const { id, seq } = { id: this.#head, seq: this.#seq };
    if (id === null) throw new RangeError("the log is empty");
    const copy = new HostileLog(this.#founding, this.#salt[0] ?? 1, { seq, id });
    copy.#doc.clientID = this.#doc.clientID;
    applyUpdate(copy.#doc, encodeStateAsUpdate(this.#doc));
    return copy;
  }

  get place(): Pick<EnvelopeHeader, "mesh" | "class" | "author" | "part" | "salt"> {
    const author = idOf<SiteId>(this.#key.publicKey);
    return { mesh: this.#founding.meshId, class: "site", author, part: 0, salt: this.#salt };
  }

  snapshot(): Envelope {
    this.#doc = new Doc();
    this.#doc.clientID = clientIdOf(logIdOf(this.place), this.#seq + 1);
    const payload = Uint8Array.from(encodeStateAsUpdate(this.#doc));
    const clocks = { clockBefore: 0, clockAfter: this.#clock() };
    const fields = { kind: "SNAP" as const, prevSnap: this.#snapshot, ...clocks };
    const envelope = this.#sign(fields, payload);
    this.#snapshot = envelope.id;
    return envelope;
  }

  update(records: Record<string, unknown>): Envelope {
    const clockBefore = this.#clock();
    let payload = new Uint8Array();
    this.#doc.once("update", (update: Uint8Array) => {
      payload = Uint8Array.from(update);
    });
    this.#set(records);
    const clockAfter = this.#clock();
    return this.#sign({ kind: "UPD", prevSnap: null, clockBefore, clockAfter }, payload);
  }

  #sign(
    fields: Pick<EnvelopeHeader, "kind" | "prevSnap" | "clockBefore" | "clockAfter">,
    payload: Uint8Array,
  ): Envelope {
    const rest = { authority: this.#founding.meshId, lamport: 1, wallMs: 0, retires: [] };
    const at = { seq: this.#seq + 1, prev: this.#head };
    const envelope = signEnvelope(this.#key, { ...this.place, ...rest, ...at, ...fields }, payload);
    this.#seq += 1;
    this.#head = envelope.id;
    return envelope;
  }

  #set(records: Record<string, unknown>): void {
    const map = this.#doc.getMap("r");
    this.#doc.transact(() => {
      for (const [key, value] of Object.entries(records)) map.set(key, value);
    });
  }

  #clock(): number {
    return getState(this.#doc.store, this.#doc.clientID);
  }
}

function founded(): Founding {
  const founding = new Founding("hostile");
  founding.enrol("quimper");
  founding.enrol("thief");
  return founding;
}

function value(x: number, l = 1): unknown {
  return { l, s: [], x };
}

function keysOf(state: State): string[] {
  return state
    .view()
    .entries("site")
    .map(({ key }) => key);
}

test("a version that inherits its value is refused", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  const log = new HostileLog(founding);
  await state.replica.receiveEnvelope(log.snapshot().bytes, state.siteId);
  const packed: unknown = JSON.parse('{"__proto__":{"l":1,"s":[],"x":"not counted"}}');
  const taken = await state.replica.receiveEnvelope(log.update({ a: packed }).bytes, state.siteId);
  assert.deepEqual(taken, { refused: "E-STATE-CONTENT" });
});

test("only one unfit entry is tried for one place of a log", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  const log = new HostileLog(founding);
  await state.replica.receiveEnvelope(log.snapshot().bytes, state.siteId);
  const unfit = log.copy().update({ a: value(1, 2) });
  const other = log.copy().update({ b: value(1, 2) });
  const first = await state.replica.receiveEnvelope(unfit.bytes, state.siteId);
  assert.deepEqual(first, { refused: "E-STATE-CONTENT" });
  const second = await state.replica.receiveEnvelope(other.bytes, state.siteId);
  assert.deepEqual(second, { refused: "E-STATE-QUARANTINE" });
});

test("a cutoff that comes together with the entries before it leaves those", async () => {
  const founding = founded();
  const log = new HostileLog(founding);
  const entries = [
    log.snapshot(),
    log.update({ a: value(1) }),
    log.update({ b: value(2) }),
    log.update({ c: value(3) }),
  ];
  const last = entries[2];
  assert.ok(last);
  const thief = testKey("thief");
  const release = signSiteRelease(thief, {
    mesh: founding.meshId,
    old: idOf<SiteId>(thief.publicKey),
    new: idOf<SiteId>(testKey("heir").publicKey),
    heads: [{ log: last.log, seq: 3, head: last.id }],
  });
  const state = await startMember("quimper", founding.statements);
  founding.enrol("heir", { release });
  await Promise.all([
    ...entries.map(({ bytes }) => state.replica.receiveEnvelope(bytes, state.siteId)),
    state.addStatements(founding.statements),
  ]);
  assert.deepEqual(keysOf(state), ["a", "b"]);
});
