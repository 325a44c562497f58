/**
 * A log whose author says what it likes of other logs, and signs two histories of it.
 */
import { applyUpdate, Doc, encodeStateAsUpdate, getState } from "yjs";
import {
  clientIdOf,
  logIdOf,
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
} from "../../protocol/logs/envelope.ts";
import { idOf, sha256, type EnvelopeId, type MeshId, type SiteId } from "../../protocol/ids.ts";
import { packVersion } from "../../protocol/logs/record-version.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";

type Place = Pick<EnvelopeHeader, "mesh" | "class" | "author" | "part" | "salt">;

export interface ForkingLogOptions {
  /** Default: site, part 0. */
  readonly class?: EnvelopeHeader["class"];
  readonly part?: number;
  /** Logs of other names are other logs. Default: "". */
  readonly name?: string;
  /** The Lamport number of its first entry; each further one has one more. Default: 1. */
  readonly started?: number;
}

export class ForkingLog {
  readonly #key: SigningKey;
  readonly #place: Place;
  readonly #options: ForkingLogOptions;
  #doc = new Doc();
  #records: Record<string, unknown> = {};
  #seq = 0;
  #lamport: number;
  #head: EnvelopeId | null = null;
  #snapshot: EnvelopeId | null = null;
  readonly #started: number;

  constructor(mesh: MeshId, key: SigningKey, options: ForkingLogOptions = {}) {
    const { name = "", part = 0, started = 1 } = options;
    this.#key = key;
    this.#options = options;
    this.#started = started;
    this.#lamport = started - 1;
    const salt = sha256(`forking log ${name}`).subarray(0, 16);
    const author = idOf<SiteId>(key.publicKey);
    this.#place = { mesh, class: options.class ?? "site", author, part, salt };
  }

  get log() {
    return logIdOf(this.#place);
  }

  get author(): SiteId {
    return this.#place.author;
  }

  get seq(): number {
    return this.#seq;
  }

  /** The same log, which goes on apart from now: what its author signs in both is a fork. */
  fork(): ForkingLog {
    const copy = new ForkingLog(this.#place.mesh, this.#key, this.#options);
    applyUpdate(copy.#doc, encodeStateAsUpdate(this.#doc));
    copy.#doc.clientID = this.#doc.clientID;
    copy.#records = { ...this.#records };
    copy.#seq = this.#seq;
    copy.#lamport = this.#lamport;
    copy.#head = this.#head;
    copy.#snapshot = this.#snapshot;
    return copy;
  }

  /** What a snapshot of another log says to take this one up as it is now. */
  taken(): EnvelopeHeader["retires"][number] {
    return { log: this.log, seq: this.#seq, lamport: this.#lamport, started: this.#started };
  }

  /** A snapshot of all its records. */
  snapshot(word: Partial<EnvelopeHeader> = {}): Envelope {
    this.#doc = new Doc();
    this.#doc.clientID = clientIdOf(this.log, this.#seq + 1);
    this.#set(this.#records);
    const payload = Uint8Array.from(encodeStateAsUpdate(this.#doc));
    const clocks = { clockBefore: 0, clockAfter: this.#clock() };
    const fields = { kind: "SNAP" as const, prevSnap: this.#snapshot, started: this.#started };
    const envelope = this.#sign({ ...fields, ...clocks, ...word }, payload);
    this.#snapshot = envelope.id;
    return envelope;
  }

  /** An update that sets records to values. */
  update(values: Readonly<Record<string, string>>, fields: Partial<EnvelopeHeader> = {}): Envelope {
    const lamport = this.#lamport + 1;
    const packed = Object.entries(values).map(([key, value]) => {
      return [key, packVersion({ lamport, supersedes: [], value })] as const;
    });
    return this.packed(Object.fromEntries(packed), fields);
  }

  /** An update that sets records to what stands in the document as it is. */
  packed(records: Record<string, unknown>, fields: Partial<EnvelopeHeader> = {}): Envelope {
    const clockBefore = this.#clock();
    let payload = new Uint8Array();
    this.#doc.once("update", (update: Uint8Array) => {
      payload = Uint8Array.from(update);
    });
    this.#set(records);
    Object.assign(this.#records, records);
    const clocks = { clockBefore, clockAfter: this.#clock() };
    return this.#sign({ kind: "UPD", prevSnap: null, started: 0, ...clocks, ...fields }, payload);
  }

  #sign(
    fields: Partial<EnvelopeHeader> &
      Pick<EnvelopeHeader, "kind" | "prevSnap" | "started" | "clockBefore" | "clockAfter">,
    payload: Uint8Array,
  ): Envelope {
    const word = { retires: [], floor: 0, past: 0 };
    const at = { seq: this.#seq + 1, prev: this.#head, lamport: this.#lamport + 1 };
    const rest = { authority: this.#place.mesh, wallMs: 0 };
    const header = { ...this.#place, ...rest, ...word, ...at, ...fields };
    const envelope = signEnvelope(this.#key, header, payload);
    this.#seq = envelope.header.seq;
    this.#lamport = envelope.header.lamport;
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
