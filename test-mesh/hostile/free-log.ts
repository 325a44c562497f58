/**
 * A log whose author signs whatever it likes in it: for attacks, and for members gone bad.
 *
 * It starts and goes on as an honest log does, so that what is refused is refused for the one thing
 * that a test wants to be wrong.
 */
import { LogWriter, type Payload } from "../../daemon/core/logs/log-writer.ts";
import {
  clientIdOf,
  logIdOf,
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
} from "../../protocol/logs/envelope.ts";
import {
  idOf,
  sha256,
  type EnvelopeId,
  type LogId,
  type MeshId,
  type SiteId,
} from "../../protocol/ids.ts";
import type { ClassName } from "../../protocol/logs/record-class.ts";
import type { RecordVersion } from "../../protocol/logs/record-version.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";

type Fields = Omit<EnvelopeHeader, "v" | "payloadBytes" | "payloadHash">;

const LAMPORT = 1000;

export class FreeLog {
  readonly log: LogId;
  readonly author: SiteId;
  readonly #key: SigningKey;
  readonly #place: Pick<EnvelopeHeader, "mesh" | "class" | "author" | "part" | "salt">;
  #writer: LogWriter;
  #clock = 0;
  #seq = 0;
  #head: EnvelopeId | null = null;
  #snapshot: { readonly seq: number; readonly id: EnvelopeId } | undefined;

  /** @param name - Makes the id of the log, with its author and part. */
  constructor(
    key: SigningKey,
    mesh: MeshId,
    name: string,
    { part = 0, class: recordClass = "site" }: { part?: number; class?: ClassName } = {},
  ) {
    this.#key = key;
    this.author = idOf<SiteId>(key.publicKey);
    const salt = sha256(`salt ${name}`).subarray(0, 16);
    this.#place = { mesh, class: recordClass, author: this.author, part, salt };
    this.log = logIdOf(this.#place);
    this.#writer = new LogWriter(this.log, 1, []);
  }

  /** The Yjs client of the document as it is now. */
  get clientId(): number {
    return clientIdOf(this.log, this.#snapshot?.seq ?? 1);
  }

  get clock(): number {
    return this.#clock;
  }

  get seq(): number {
    return this.#seq;
  }

  get head(): EnvelopeId | null {
    return this.#head;
  }

  /** Appends a snapshot of these records. */
  snapshot(records: Iterable<readonly [string, RecordVersion]> = []): Envelope {
    this.#writer = new LogWriter(this.log, this.#seq + 1, records);
    return this.append(this.#writer.snapshot, { kind: "SNAP" });
  }

  /** Appends an honest update. */
  update(...records: readonly (readonly [string, RecordVersion])[]): Envelope {
    return this.append(this.#writer.update(records));
  }

  /** Signs the next entry and goes on behind it. */
  append(payload: Pick<Payload, "bytes" | "clockAfter">, wrong: Partial<Fields> = {}): Envelope {
    const envelope = this.sign(payload, wrong);
    const { kind, seq } = envelope.header;
    this.#seq = seq;
    this.#head = envelope.id;
    this.#clock = payload.clockAfter;
    if (kind === "SNAP") this.#snapshot = { seq, id: envelope.id };
    return envelope;
  }

  /** Signs an entry for the next place; the log stays where it is. */
  sign(payload: Pick<Payload, "bytes" | "clockAfter">, wrong: Partial<Fields> = {}): Envelope {
    const kind = wrong.kind ?? "UPD";
    const isSnapshot = kind === "SNAP";
    const fields: Fields = {
      ...this.#place,
      seq: this.#seq + 1,
      prev: this.#head,
      kind,
      prevSnap: isSnapshot ? (this.#snapshot?.id ?? null) : null,
      started: isSnapshot ? LAMPORT : 0,
      retires: [],
      floor: 0,
      past: 0,
      authority: this.#place.mesh,
      lamport: LAMPORT,
      clockBefore: isSnapshot ? 0 : this.#clock,
      clockAfter: payload.clockAfter,
      wallMs: 0,
      ...wrong,
    };
    return signEnvelope(this.#key, fields, payload.bytes);
  }
}
