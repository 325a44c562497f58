/**
 * A log whose author keeps to no rule: it branches, repeats places and signs any payload.
 *
 * Sound entries are made by the code of honest writers, so that what is wrong with an entry is
 * only what a test put in.
 */
import { LogWriter, type Payload } from "../../daemon/core/logs/log-writer.ts";
import {
  clientIdOf,
  logIdOf,
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
} from "../../protocol/logs/envelope.ts";
import { idOf, type EnvelopeId, type LogId, type MeshId, type SiteId } from "../../protocol/ids.ts";
import type { RecordClass } from "../../protocol/logs/record-class.ts";
import type { RecordVersion } from "../../protocol/logs/record-version.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";

type Change = readonly [key: string, version: RecordVersion];
type Fields = Omit<EnvelopeHeader, "v" | "payloadBytes" | "payloadHash">;

export interface RawLogOptions {
  readonly mesh: MeshId;
  readonly key: SigningKey;
  readonly class: RecordClass;
  readonly part: number;
  /** 16 bytes. */
  readonly salt: Uint8Array;
}

export class RawLog {
  readonly options: RawLogOptions;
  readonly log: LogId;
  readonly author: SiteId;
  readonly #records = new Map<string, RecordVersion>();
  /** Since the snapshot. */
  readonly #updates: (readonly Change[])[] = [];
  #atSnapshot: readonly Change[] = [];
  #writer: LogWriter | undefined;
  #snapSeq = 0;
  #snapshot: EnvelopeId | null = null;
  #seq = 0;
  #started = 0;
  #lamport = 0;
  #head: EnvelopeId | null = null;

  constructor(options: RawLogOptions) {
    this.options = options;
    this.author = idOf<SiteId>(options.key.publicKey);
    const { mesh, class: recordClass, part, salt } = options;
    this.log = logIdOf({ mesh, class: recordClass, author: this.author, part, salt });
  }

  get seq(): number {
    return this.#seq;
  }

  /** The number of its last entry; an honest one never goes back behind it. */
  get lamport(): number {
    return this.#lamport;
  }

  /** Of the document as it is now: what an honest update would come from. */
  get client(): { readonly id: number; readonly clock: number } {
    const clock = this.#atSnapshot.length + this.#updates.flat().length;
    return { id: clientIdOf(this.log, this.#snapSeq), clock };
  }

  /** The same log up to here, which goes on apart from now: what an author must never do. */
  branch(): RawLog {
    const copy = new RawLog(this.options);
    for (const [key, version] of this.#records) copy.#records.set(key, version);
    copy.#updates.push(...this.#updates);
    copy.#atSnapshot = this.#atSnapshot;
    copy.#snapSeq = this.#snapSeq;
    copy.#snapshot = this.#snapshot;
    copy.#seq = this.#seq;
    copy.#started = this.#started;
    copy.#lamport = this.#lamport;
    copy.#head = this.#head;
    if (this.#writer === undefined) return copy;
    copy.#writer = new LogWriter(this.log, this.#snapSeq, this.#atSnapshot);
    // The clock of a document counts what it went through, so it goes through the same.
    for (const changes of this.#updates) copy.#writer.update(changes);
    return copy;
  }

  snap(lamport: number, more: Partial<Fields> = {}): Envelope {
    this.#atSnapshot = [...this.#records];
    this.#updates.length = 0;
    this.#snapSeq = this.#seq + 1;
    this.#writer = new LogWriter(this.log, this.#snapSeq, this.#atSnapshot);
    const prevSnap = this.#snapshot;
    const envelope = this.#next("SNAP", lamport, this.#writer.snapshot, { prevSnap, ...more });
    this.#snapshot = envelope.id;
    return envelope;
  }

  /** The log has to have a snapshot. */
  update(lamport: number, changes: readonly Change[], more: Partial<Fields> = {}): Envelope {
    if (this.#writer === undefined) throw new RangeError("a log starts with a snapshot");
    for (const [key, version] of changes) this.#records.set(key, version);
    this.#updates.push(changes);
    return this.#next("UPD", lamport, this.#writer.update(changes), more);
  }

  /** An entry with this payload, whatever it is, in the place after the last. The log stays. */
  hostile(lamport: number, bytes: Uint8Array, more: Partial<Fields> = {}): Envelope {
    const clockBefore = more.clockBefore ?? 0;
    const payload = { bytes, clockBefore, clockAfter: more.clockAfter ?? clockBefore + 1 };
    const [seq, head, last] = [this.#seq, this.#head, this.#lamport];
    const envelope = this.#next("UPD", lamport, payload, more);
    this.#seq = seq;
    this.#head = head;
    this.#lamport = last;
    return envelope;
  }

  #next(
    kind: "SNAP" | "UPD",
    lamport: number,
    { bytes, clockBefore, clockAfter }: Payload,
    more: Partial<Fields>,
  ): Envelope {
    const { mesh, key, class: recordClass, part, salt } = this.options;
    if (this.#seq === 0) this.#started = lamport;
    const envelope = signEnvelope(
      key,
      {
        mesh,
        class: recordClass,
        author: this.author,
        part,
        salt,
        seq: this.#seq + 1,
        prev: this.#head,
        kind,
        prevSnap: null,
        started: kind === "SNAP" ? this.#started : 0,
        retires: [],
        floor: 0,
        past: 0,
        authority: mesh,
        lamport,
        clockBefore,
        clockAfter,
        wallMs: 0,
        ...more,
      },
      bytes,
    );
    this.#seq += 1;
    this.#lamport = lamport;
    this.#head = envelope.id;
    return envelope;
  }
}
