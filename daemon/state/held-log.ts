/**
 * What a node has of one log, and the document that comes of it.
 */
import type { LogDocument } from "../core/log-document.ts";
import type { Envelope, Retirement } from "../../protocol/envelope.ts";
import type { EnvelopeId, LogId, SiteId } from "../../protocol/ids.ts";
import type { ClassName } from "../../protocol/record-class.ts";

interface HeldEntry {
  readonly id: EnvelopeId;
  /** Snapshots only: the logs that they take up. */
  readonly retires: readonly Retirement[] | undefined;
  /** When its author says that it signed it: only for how long it is kept. */
  readonly wallMs: number;
}

/** One class and part of one author: its logs take up one another. */
export type Lineage = `${ClassName}/${SiteId}/${number}`;

export class HeldLog {
  readonly log: LogId;
  readonly class: ClassName;
  readonly author: SiteId;
  readonly part: number;
  readonly lineage: Lineage;
  /** The last entry that counts; 0: none does. */
  seq = 0;
  /** The last entry held: above `seq` when the rest was cut off. */
  storedSeq = 0;
  /** Built when it is needed; undefined also when other logs have taken up all of it. */
  document: LogDocument | undefined;
  /** The place for which its author signed an entry that is unfit; nothing else is taken there. */
  unfitSeq: number | undefined;
  readonly #entries = new Map<number, HeldEntry>();
  /** Places of the snapshots held, ascending: entries arrive in order. */
  readonly #snapshots: number[] = [];
  /** Places of the entries of kinds that this version does not know, ascending. */
  readonly #later: number[] = [];

  constructor(log: LogId, of: Pick<HeldLog, "class" | "author" | "part">) {
    this.log = log;
    this.class = of.class;
    this.author = of.author;
    this.part = of.part;
    this.lineage = lineageOf(of);
  }

  /** Notes the next entry as held and counting. */
  append({ id, header }: Envelope): void {
    const retires = header.kind === "SNAP" ? header.retires : undefined;
    this.#entries.set(header.seq, { id, retires, wallMs: header.wallMs });
    if (retires !== undefined && (this.#snapshots.at(-1) ?? 0) < header.seq) {
      this.#snapshots.push(header.seq);
    }
    if (header.kind !== "SNAP" && header.kind !== "UPD") this.#later.push(header.seq);
    this.seq = header.seq;
    this.storedSeq = Math.max(this.storedSeq, header.seq);
  }

  /** Undefined when that entry is not held. */
  idAt(seq: number): EnvelopeId | undefined {
    return this.#entries.get(seq)?.id;
  }

  get head(): EnvelopeId | undefined {
    return this.idAt(this.seq);
  }

  /** The first entry held; 0 when there is none. */
  get firstSeq(): number {
    for (const seq of this.#entries.keys()) return seq;
    return 0;
  }

  /**
   * Whether an entry of a kind that this version does not know stands after the newest snapshot: what
   * follows it is held and passed on, and shows with the next snapshot.
   */
  get isObscured(): boolean {
    const snapshot = this.snapshotBefore(this.seq);
    return this.#later.some((at) => at > snapshot && at <= this.seq);
  }

  /** The newest snapshot held up to `seq`; 0 when there is none. */
  snapshotBefore(seq: number): number {
    return this.#snapshots.findLast((at) => at <= seq) ?? 0;
  }

  /**
   * The entries that nobody needs any more: signed before `beforeMs`, and older than the last but
   * one snapshot. They cease to be held.
   */
  prune(beforeMs: number): readonly number[] {
    const keptFrom = this.#snapshots.at(-2) ?? 0;
    const gone = [...this.#entries]
      .filter(([seq, { wallMs }]) => seq < keptFrom && wallMs < beforeMs)
      .map(([seq]) => seq);
    for (const seq of gone) this.#entries.delete(seq);
    const left = this.#snapshots.filter((seq) => this.#entries.has(seq));
    this.#snapshots.splice(0, Infinity, ...left);
    return gone;
  }

  /** What its counting snapshots take up. */
  retirements(): readonly Retirement[] {
    return [...this.#entries]
      .filter(([seq]) => seq <= this.seq)
      .flatMap(([, { retires }]) => retires ?? []);
  }
}

/** The lineage of the log that an entry belongs to. */
export function lineageOf(of: Pick<HeldLog, "class" | "author" | "part">): Lineage {
  return `${of.class}/${of.author}/${of.part}`;
}
