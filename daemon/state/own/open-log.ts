/**
 * A log that this process writes: signs its entries one after another.
 */
import {
  logIdOf,
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
} from "../../../protocol/logs/envelope.ts";
import type { EnvelopeId, LogId, MeshId, SiteId, StatementId } from "../../../protocol/ids.ts";
import type { RecordVersion } from "../../../protocol/logs/record-version.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import type { Clock } from "../../core/clock.ts";
import type { SnapshotWord } from "../../core/logs/lineage.ts";
import { LogWriter, type Payload } from "../../core/logs/log-writer.ts";
import type { Change, OwnPart } from "./own-part.ts";

/** Who signs, and under what. */
export interface Signer {
  readonly siteKey: SigningKey;
  readonly siteId: SiteId;
  readonly meshId: MeshId;
  readonly clock: Clock;
  /** The epoch that this site acts under. */
  readonly epoch: () => StatementId | MeshId;
}

/** What a snapshot holds, and what it says of the logs that it takes up by that. */
export interface SnapshotContent {
  readonly records: ReadonlyMap<string, RecordVersion>;
  readonly word: Pick<SnapshotWord, "retires" | "floor" | "past">;
}

/** An update has no say in its lineage. */
const NO_WORD: SnapshotWord = { started: 0, retires: [], floor: 0, past: 0 };

export class OpenLog {
  readonly of: OwnPart;
  readonly log: LogId;
  /** The Lamport number of its first entry. */
  readonly started: number;
  readonly #signer: Signer;
  readonly #salt: Uint8Array;
  #seq = 0;
  #head: EnvelopeId | null = null;
  #snapshot: EnvelopeId | null = null;
  #writer: LogWriter | undefined;

  /** A new log without any entry: the first has to be a snapshot. */
  constructor(signer: Signer, of: OwnPart, started: number) {
    const { clock, meshId, siteId } = signer;
    this.of = of;
    this.started = started;
    this.#signer = signer;
    this.#salt = clock.random(16);
    const place = { mesh: meshId, class: of.class, author: siteId, part: of.part };
    this.log = logIdOf({ ...place, salt: this.#salt });
  }

  /** Its last entry; 0: none. */
  get seq(): number {
    return this.#seq;
  }

  get head(): EnvelopeId | null {
    return this.#head;
  }

  /** All that was set in it, whether it counts anywhere or not. */
  records(): Iterable<Change> {
    return this.#writer?.records() ?? [];
  }

  snapshot({ records, word }: SnapshotContent, lamport: number): Envelope {
    this.#writer = new LogWriter(this.log, this.#seq + 1, records);
    const said = { ...word, started: this.started, prevSnap: this.#snapshot, lamport };
    const envelope = this.#next({ kind: "SNAP", ...said }, this.#writer.snapshot);
    this.#snapshot = envelope.id;
    return envelope;
  }

  /** @throws RangeError when nothing is changed, or there is no snapshot yet. */
  update(changes: readonly Change[]): Envelope {
    const lamport = changes.at(-1)?.[1].lamport;
    if (this.#writer === undefined || lamport === undefined) throw new RangeError("no update");
    const said = { ...NO_WORD, prevSnap: null, lamport };
    return this.#next({ kind: "UPD", ...said }, this.#writer.update(changes));
  }

  #next(
    fields: SnapshotWord & Pick<EnvelopeHeader, "kind" | "prevSnap" | "lamport">,
    { bytes, clockBefore, clockAfter }: Payload,
  ): Envelope {
    const { meshId, siteId, siteKey, clock, epoch } = this.#signer;
    const header = {
      mesh: meshId,
      class: this.of.class,
      author: siteId,
      part: this.of.part,
      salt: this.#salt,
      seq: this.#seq + 1,
      prev: this.#head,
      authority: epoch(),
      wallMs: Math.max(0, Math.trunc(clock.wallMs())),
      clockBefore,
      clockAfter,
      ...fields,
      retires: [...fields.retires],
    };
    const envelope = signEnvelope(siteKey, header, bytes);
    this.#seq += 1;
    this.#head = envelope.id;
    return envelope;
  }
}
