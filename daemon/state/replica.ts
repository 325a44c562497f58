/**
 * The port through which replication reads and feeds the state of this node.
 *
 * Heads are compared by hash, never by Yjs state vectors: two documents with equal vectors can
 * differ. All digests cover only what is durable here.
 */
import type { EnvelopeId, LogId, SiteId, StatementId } from "../../protocol/ids.ts";
import type { ClassGroup } from "../../protocol/logs/record-class.ts";

/** How far this node has one log. */
export interface LogPosition {
  readonly log: LogId;
  readonly author: SiteId;
  readonly part: number;
  /** The last entry held. */
  readonly seq: number;
  readonly head: EnvelopeId;
  /** The first entry held: what comes before it is pruned, or was never here. */
  readonly fromSeq: number;
  /** Places that statements name and that can be shown; they may lie before a gap. Ascending. */
  readonly shows?: readonly number[];
}

/** Entries of a log, both ends included. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/**
 * What became of something that a peer sent.
 *
 * - `accepted`: durable here, and it counts.
 * - `known`: it was here before.
 * - `parked`: durable here and passed on, but its author has no right to it (yet).
 * - `waiting`: kept in bounded memory until what it depends on arrives; ask for that.
 * - `refused`: dropped; the code says why, and the peer is to blame unless it is `E-STATE-FULL`.
 */
export type Reception = "accepted" | "known" | "parked" | "waiting" | { readonly refused: string };

/** Which headers of a log are meant: of all its snapshots ever, or of all entries held. */
export type HeaderKind = "snapshots" | "entries";

/**
 * What a header without its payload told.
 *
 * - `known`: this very entry stands here at its place, or stood here as a snapshot.
 * - `kept`: it lengthens the chain of snapshots that is held of the log, durably.
 * - `forked`: it and one held here prove a fork of the log; the proof is durable.
 * - `idle`: nothing is held that it could be compared with.
 * - `refused`: dropped, and the peer is to blame.
 */
export type HeaderReception = "known" | "kept" | "forked" | "idle" | { readonly refused: string };

/** Something that became durable here. */
export interface NewItem {
  readonly kind: "statement" | "envelope";
  /** What travels, as received. */
  readonly bytes: Uint8Array;
  readonly id: StatementId | EnvelopeId;
  /** The peer it came from; undefined for what this site made itself. */
  readonly from: SiteId | undefined;
  /** For an envelope: its place, to be confirmed by `noteConfirmed`. */
  readonly at?: { readonly log: LogId; readonly seq: number };
}

export interface Replica {
  /** Hexadecimal hash of the sorted ids of all statements. */
  statementDigest(): string;
  /** Hexadecimal hash of the digests of all groups of classes. */
  stateDigest(): string;
  /** One hexadecimal hash a bucket, over the positions of its logs. */
  classDigest(group: ClassGroup): readonly string[];
  statementIds(): readonly StatementId[];
  /** The bytes that travel. */
  statement(id: StatementId): Uint8Array | undefined;
  /** All logs of a bucket (0 to 15), sorted by id. */
  vector(group: ClassGroup, bucket: number): readonly LogPosition[];
  /** How far a log counts here; undefined when none of it does. */
  position(log: LogId): LogPosition | undefined;
  /**
   * Behind which entry those of a log are of use here, 0 for all; undefined when none are: other
   * logs have taken it up whole, or nothing more of it may count.
   */
  wantedAfter(log: LogId): number | undefined;
  /**
   * What was pruned here of a log and is of use again, because statements name a place in it.
   *
   * @param shows - The places that a peer can show.
   */
  stretchesWanted(log: LogId, shows: readonly number[]): readonly Stretch[];
  /**
   * The entries of a log after `afterSeq`, in order, as bytes that travel. When those right after
   * it are pruned, it starts with the oldest snapshot held.
   */
  envelopesFrom(log: LogId, afterSeq: number): AsyncIterable<Uint8Array>;
  /** Signed headers after `afterSeq` in ascending order, as bytes that travel. */
  headersOf(log: LogId, afterSeq: number, of: HeaderKind): AsyncIterable<Uint8Array>;
  /** Whether statements name the author of an entry, as a member or a former one. */
  authorOf(envelope: Uint8Array): "known" | "unknown" | "unreadable";
  receiveStatement(bytes: Uint8Array, from: SiteId): Promise<Reception>;
  /** Resolves after the entry is durable, so an acceptance may be confirmed to the sender. */
  receiveEnvelope(bytes: Uint8Array, from: SiteId): Promise<Reception>;
  /**
   * A header of a log that forked, or of one whose beginning is pruned at all peers. Those of one
   * log come in ascending order, so the chain of snapshots grows from its first link.
   */
  receiveHeader(bytes: Uint8Array, from: SiteId): Promise<HeaderReception>;
  /** Tells of everything that becomes durable, from now on. Returns what ends the telling. */
  onNew(listener: (item: NewItem) => void): () => void;
  /** A site has said that it holds a log durably up to `seq`. What is not held here is left out. */
  noteConfirmed(log: LogId, seq: number, by: SiteId): void;
}
