/**
 * What a node has of one log, how much of it counts, and the document that comes of it.
 */
import { ENTRY_BYTES, HEADER_BYTES, LOG_BYTES, RETIREMENT_BYTES } from "./keep/author-room.ts";
import type { SnapshotWord } from "../core/logs/lineage.ts";
import type { LogDocument } from "../core/logs/log-document.ts";
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { EnvelopeId, LogId, SiteId } from "../../protocol/ids.ts";
import type { ClassName } from "../../protocol/logs/record-class.ts";
import type { Stretch } from "./replica.ts";

interface HeldEntry {
  readonly id: EnvelopeId;
  readonly lamport: number;
  /** When its author says that it signed it: advice, for people who look for a point to cut at. */
  readonly wallMs: number;
  /** In the store and in memory, without what it does to the document. */
  readonly roomBytes: number;
}

/** A snapshot of which the header is known, the payload perhaps pruned. */
export interface KnownSnapshot {
  readonly seq: number;
  readonly id: EnvelopeId;
  /** The Lamport number of the first entry of the log, as it says. */
  readonly started: number;
}

interface HeldSnapshot extends KnownSnapshot {
  readonly word: SnapshotWord;
  /** When it came, by this node's clock: how long what lies before it stays. */
  readonly receivedMs: number;
}

/** How far a log may count, whatever is held of it; see core/authority.ts. */
export type LogLimit =
  | "open"
  | "none"
  | { readonly seq: number; readonly head: EnvelopeId | undefined };

/** One class and part of one author: its logs take up one another. */
export type LineageName = `${ClassName}/${SiteId}/${number}`;

export class HeldLog {
  readonly log: LogId;
  readonly class: ClassName;
  readonly author: SiteId;
  readonly part: number;
  readonly lineage: LineageName;
  /** The last entry held; what of it counts is {@link seq}. */
  storedSeq = 0;
  limit: LogLimit = "open";
  /** What people see ends here while the author is suspended. */
  frozenSeq: number | undefined;
  /** Places that statements name: it stays, in the digests too, when others take it up. */
  pins: readonly number[] = [];
  /** At {@link seq}. Built when it is needed; undefined also when other logs have taken it up. */
  document: LogDocument | undefined;
  /** It ended the daemon at several starts: nothing of it is built until its next snapshot. */
  isShut = false;
  /** At {@link shownSeq}, when that is less. */
  frozenDocument: LogDocument | undefined;
  /** An entry that its author signed and that is unfit: nothing else is taken at its place. */
  unfit: { readonly seq: number; readonly id: EnvelopeId; readonly signed: Uint8Array } | undefined;
  #entriesBytes = 0;
  #headersBytes = 0;
  #documentBytes = 0;
  readonly #entries = new Map<number, HeldEntry>();
  /** Ascending: entries arrive in order. */
  readonly #snapshots: HeldSnapshot[] = [];
  /** Places of the entries of kinds that this version does not know, ascending. */
  readonly #later: number[] = [];
  /** Of snapshots, held or not, by their places. */
  readonly #headers = new Map<number, KnownSnapshot>();
  #lastHeaderSeq = 0;
  /** The first of the last entries that are held without a gap. */
  #unbrokenFrom = 0;

  constructor(log: LogId, of: Pick<HeldLog, "class" | "author" | "part">) {
    this.log = log;
    this.class = of.class;
    this.author = of.author;
    this.part = of.part;
    this.lineage = lineageOf(of);
  }

  /** Notes the next entry as held. */
  append({ id, header, bytes }: Envelope, receivedMs: number): void {
    const { seq, lamport, wallMs, started } = header;
    const roomBytes = roomOfEntry({ header, bytes });
    if (seq !== this.storedSeq + 1 || this.#entries.size === 0) this.#unbrokenFrom = seq;
    this.#entries.set(seq, { id, lamport, wallMs, roomBytes });
    if (header.kind === "SNAP") {
      this.#snapshots.push({ seq, id, started, word: wordOf(header), receivedMs });
    }
    if (header.kind !== "SNAP" && header.kind !== "UPD") this.#later.push(seq);
    this.storedSeq = seq;
    this.#entriesBytes += roomBytes;
  }

  /** Notes that the header of a snapshot is kept, whether it is held or not. */
  noteHeader({ seq, id, started }: KnownSnapshot, sizeBytes: number): void {
    if (this.hasHeader(seq)) return;
    this.#headers.set(seq, { seq, id, started });
    this.#lastHeaderSeq = Math.max(this.#lastHeaderSeq, seq);
    this.#headersBytes += sizeBytes + HEADER_BYTES;
  }

  /**
   * What it takes of its author's room. A document that was let go counts as when it was seen last:
   * one word of the author can have many of them built again at once.
   */
  measureRoom(): number {
    this.#documentBytes = this.document?.memoryBytes ?? this.#documentBytes;
    const documents = this.#documentBytes + (this.frozenDocument?.memoryBytes ?? 0);
    return LOG_BYTES + this.#entriesBytes + this.#headersBytes + documents;
  }

  hasHeader(seq: number): boolean {
    return this.#headers.has(seq);
  }

  /** The last entry that counts; 0: none does. */
  get seq(): number {
    const { limit, storedSeq } = this;
    if (limit === "none") return 0;
    if (limit === "open" || storedSeq < limit.seq) return storedSeq;
    const isNamed = this.idAt(limit.seq) === limit.head;
    return isNamed && this.snapshotBefore(limit.seq) !== undefined ? limit.seq : 0;
  }

  /**
   * Whether the limit names an entry that is not the one held there, or one before all that is held:
   * then nothing that is held leads up to it.
   */
  isOfNoUse(): boolean {
    const { limit, storedSeq } = this;
    return typeof limit === "object" && storedSeq >= limit.seq && limit.seq > 0 && this.seq === 0;
  }

  /** The last entry that people see. */
  get shownSeq(): number {
    return Math.min(this.seq, this.frozenSeq ?? Infinity);
  }

  /** The document at {@link shownSeq}. */
  get shownDocument(): LogDocument | undefined {
    return this.shownSeq < this.seq ? this.frozenDocument : this.document;
  }

  /** Undefined when that entry is not held. */
  idAt(seq: number): EnvelopeId | undefined {
    return this.#entries.get(seq)?.id;
  }

  lamportAt(seq: number): number {
    return this.#entries.get(seq)?.lamport ?? 0;
  }

  get head(): EnvelopeId | undefined {
    return this.idAt(this.seq);
  }

  /** The first entry held; 0 when there is none. */
  get firstSeq(): number {
    for (const seq of this.#entries.keys()) return seq;
    return 0;
  }

  /** The pinned places that count and up to which everything is held from a snapshot on. */
  shownPins(): readonly number[] {
    const isShown = (pin: number): boolean => {
      return pin <= this.seq && this.#entries.has(pin) && this.snapshotBefore(pin) !== undefined;
    };
    return this.pins.filter(isShown);
  }

  /**
   * What leads up to a pinned place and is not held any more: from the snapshot before it to the one
   * after it, of which the header is kept. Undefined when there are no such headers.
   */
  stretchAround(pin: number): (Stretch & { readonly first: EnvelopeId }) | undefined {
    if (pin > this.seq || this.#entries.has(pin)) return undefined;
    const known = this.knownSnapshots();
    const before = known.findLast(({ seq }) => seq <= pin);
    const after = known.find(({ seq }) => seq > pin);
    if (before === undefined || after === undefined) return undefined;
    return { from: before.seq, to: after.seq - 1, first: before.id };
  }

  /** The stretch around a pin that an entry belongs to: itself held, perhaps, and others of it not. */
  stretchWith(place: number): ReturnType<HeldLog["stretchAround"]> {
    return this.pins
      .flatMap((pin) => this.stretchAround(pin) ?? [])
      .find(({ from, to }) => from <= place && place <= to);
  }

  /** Notes entries as held that were pruned: of a {@link stretchAround} a pin, from its start on. */
  fillIn(entries: readonly Envelope[], receivedMs: number): void {
    const stretch = entries.filter(({ header }) => !this.#entries.has(header.seq));
    const first = stretch[0]?.header.seq ?? 0;
    let { unbrokenFrom } = this;
    const later = [...this.#entries].filter(([seq]) => seq > first);
    for (const [seq] of later) this.#entries.delete(seq);
    for (const { id, header, bytes } of stretch) {
      const { seq, lamport, wallMs, started } = header;
      const roomBytes = roomOfEntry({ header, bytes });
      this.#entries.set(seq, { id, lamport, wallMs, roomBytes });
      this.#entriesBytes += roomBytes;
      if (header.kind === "SNAP") {
        this.#snapshots.push({ seq, id, started, word: wordOf(header), receivedMs });
      } else if (header.kind !== "UPD") this.#later.push(seq);
    }
    for (const [seq, entry] of later) this.#entries.set(seq, entry);
    while (this.#entries.has(unbrokenFrom - 1)) unbrokenFrom -= 1;
    this.#unbrokenFrom = unbrokenFrom;
    this.#snapshots.sort((a, b) => a.seq - b.seq);
    this.#later.sort((a, b) => a - b);
  }

  /** From where on all entries are held; before that there is a gap, or nothing. */
  get unbrokenFrom(): number {
    return this.#entries.has(this.#unbrokenFrom) ? this.#unbrokenFrom : this.firstSeq;
  }

  /**
   * Whether an entry of a kind that this version does not know stands after the newest snapshot: what
   * follows it is held and passed on, and shows with the next snapshot.
   */
  get isObscured(): boolean {
    const snapshot = this.snapshotBefore(this.seq)?.seq ?? 0;
    return this.#later.some((at) => at > snapshot && at <= this.seq);
  }

  /** The newest snapshot held up to `seq`. */
  snapshotBefore(seq: number): HeldSnapshot | undefined {
    return this.#snapshots.findLast((snapshot) => snapshot.seq <= seq);
  }

  /** The highest place of which anything is known. */
  get knownSeq(): number {
    return Math.max(this.storedSeq, this.#lastHeaderSeq);
  }

  heldSnapshots(): readonly HeldSnapshot[] {
    return this.#snapshots;
  }

  /** All snapshots whose headers are known, ascending. */
  knownSnapshots(): readonly KnownSnapshot[] {
    const held = new Set(this.#snapshots.map(({ seq }) => seq));
    const others = [...this.#headers.values()].filter(({ seq }) => !held.has(seq));
    return [...others, ...this.#snapshots].toSorted((a, b) => a.seq - b.seq);
  }

  /** The last entry up to which all were signed before `wallMs`, by the author's clock. */
  lastBefore(wallMs: number): number {
    let last = 0;
    for (const [seq, entry] of this.#entries) {
      if (seq > this.shownSeq || entry.wallMs >= wallMs) break;
      last = seq;
    }
    return last;
  }

  /**
   * From where on everything stays: the last but one snapshot, or the newest one before a place
   * that is pinned and still held. What lies before it goes when the snapshot after it came before
   * `beforeMs`.
   *
   * @param beforeMs - Infinity: only the newest snapshot stays, however young the others are.
   */
  keptFrom(beforeMs: number): number {
    const limits = [
      ...(typeof this.limit === "object" ? [this.limit.seq] : []),
      ...(this.frozenSeq === undefined ? [] : [this.frozenSeq]),
    ];
    const old = this.#snapshots.findLast(({ receivedMs }) => receivedMs < beforeMs)?.seq ?? 0;
    const needed = [...limits, ...this.pins]
      .filter((seq) => seq > 0)
      .flatMap((seq) => this.snapshotBefore(seq)?.seq ?? []);
    const last = this.#snapshots.at(beforeMs === Infinity ? -1 : -2)?.seq ?? 0;
    return Math.min(last, old, ...needed);
  }

  /** Lets the entries before a snapshot go; the headers of snapshots stay. */
  prune(keptFrom: number): { readonly seq: number; readonly isSnapshot: boolean }[] {
    const gone: { seq: number; isSnapshot: boolean }[] = [];
    for (const [seq, { roomBytes }] of this.#entries) {
      if (seq >= keptFrom) break;
      this.#entries.delete(seq);
      this.#entriesBytes -= roomBytes;
      const isSnapshot = this.#snapshots[0]?.seq === seq;
      if (isSnapshot) this.#snapshots.shift();
      gone.push({ seq, isSnapshot });
    }
    return gone;
  }
}

/** What an entry takes of its author's room, its records left out: those of a log lie in one document. */
export function roomOfEntry({ header, bytes }: Pick<Envelope, "header" | "bytes">): number {
  return bytes.length + ENTRY_BYTES + header.retires.length * RETIREMENT_BYTES;
}

/** What of a header its lineage is judged by; the rest need not stay in memory. */
export function wordOf({ started, retires, floor, past }: SnapshotWord): SnapshotWord {
  return { started, retires, floor, past };
}

/** The lineage of the log that an entry belongs to. */
export function lineageOf(of: Pick<HeldLog, "class" | "author" | "part">): LineageName {
  return `${of.class}/${of.author}/${of.part}`;
}
