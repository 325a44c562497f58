/**
 * Answers replication from what is durable here.
 */
import { sha256, toHex, type LogId, type SiteId } from "../../protocol/ids.ts";
import {
  decodeStatement,
  encodeStatement,
  StatementError,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import {
  checkEnvelope,
  EnvelopeError,
  readEnvelope,
  type Envelope,
  type UncheckedHeader,
} from "../../protocol/logs/envelope.ts";
import {
  decodeSignedHeader,
  encodeSignedHeader,
  type SignedHeader,
} from "../../protocol/logs/signed-header.ts";
import type { StatementSet } from "../core/authority/statement-set.ts";
import type { Store } from "../core/store.ts";
import type { Confirmations } from "./confirmations.ts";
import type { HeldLog } from "./held-log.ts";
import { entriesFrom } from "./keys.ts";
import { signedHeaderAt } from "./signed-header-at.ts";
import type { Positions } from "./positions.ts";
import type {
  HeaderKind,
  HeaderReception,
  NewItem,
  Reception,
  Replica,
  Stretch,
} from "./replica.ts";
import type { Shelf } from "./shelf.ts";

interface ReplicaSetup {
  readonly store: Store;
  readonly statements: StatementSet;
  readonly positions: Positions;
  readonly shelf: Shelf;
  readonly confirmations: Confirmations;
  readonly onNew: (listener: (item: NewItem) => void) => () => void;
  readonly receiveStatement: (statement: SignedStatement, from: SiteId) => Promise<Reception>;
  /** Whether the entry of this id is durable here. */
  readonly isKnown: (envelope: UncheckedHeader) => boolean;
  readonly isAuthorKnown: (site: SiteId) => boolean;
  readonly receiveHeader: (header: SignedHeader) => Promise<HeaderReception>;
  readonly receiveEnvelope: (envelope: Envelope, from: SiteId) => Promise<Reception>;
}

export function createReplica(setup: ReplicaSetup): Replica {
  const { store, statements, positions, confirmations, onNew } = setup;
  const statementIds = () =>
    statements
      .all()
      .map(({ id }) => id)
      .toSorted();
  let digest: string | undefined;
  onNew(({ kind }) => {
    if (kind === "statement") digest = undefined;
  });
  return {
    statementIds,
    statementDigest: () => (digest ??= toHex(sha256("pleach/statements/1\0", ...statementIds()))),
    statement(id) {
      const statement = statements.get(id);
      return statement === undefined ? undefined : encodeStatement(statement);
    },
    stateDigest: () => positions.stateDigest(),
    classDigest: (group) => positions.classDigest(group),
    vector: (group, bucket) => positions.bucket(group, bucket),
    envelopesFrom: (log, afterSeq) => envelopesFrom(store, positions, log, afterSeq),
    position: (log) => positions.get(log),
    wantedAfter: (log) => wantedAfter(setup.shelf, log),
    stretchesWanted: (log, shows) => stretchesWanted(setup.shelf.get(log), shows),
    headersOf: (log, afterSeq, of) => headersOf(setup, log, afterSeq, of),
    authorOf(bytes) {
      const envelope = readOr(() => readEnvelope(bytes));
      if ("refused" in envelope) return "unreadable";
      return setup.isAuthorKnown(envelope.header.author) ? "known" : "unknown";
    },
    async receiveStatement(bytes, from) {
      const statement = readOr(() => decodeStatement(bytes));
      return "refused" in statement ? statement : setup.receiveStatement(statement, from);
    },
    async receiveEnvelope(bytes, from) {
      const envelope = readOr(() => {
        const unchecked = readEnvelope(bytes);
        return setup.isKnown(unchecked) ? ("known" as const) : checkEnvelope(unchecked);
      });
      if (envelope === "known" || "refused" in envelope) return envelope;
      return setup.receiveEnvelope(envelope, from);
    },
    async receiveHeader(bytes): Promise<HeaderReception> {
      const signed = readOr(() => decodeSignedHeader(bytes));
      return "refused" in signed ? signed : setup.receiveHeader(signed);
    },
    onNew,
    noteConfirmed(log, seq, by) {
      // A peer can say anything: only what is here takes room, and nothing beyond its end counts.
      const position = positions.get(log);
      if (position !== undefined) confirmations.note(log, Math.min(seq, position.seq), by);
    },
  };
}

function wantedAfter(shelf: Shelf, log: LogId): number | undefined {
  const held = shelf.get(log);
  if (held === undefined) return 0;
  const { limit, storedSeq, pins } = held;
  if (limit === "none") return undefined;
  if (pins.length === 0 && shelf.takenUp(held).seq === Infinity) return undefined;
  return limit !== "open" && storedSeq >= limit.seq ? undefined : storedSeq;
}

/** Each once, though several places may lie in one. */
function stretchesWanted(held: HeldLog | undefined, shows: readonly number[]): Stretch[] {
  const wanted = new Map<number, Stretch>();
  for (const pin of held?.pins ?? []) {
    const stretch = shows.includes(pin) ? held?.stretchAround(pin) : undefined;
    if (stretch !== undefined) wanted.set(stretch.from, { from: stretch.from, to: stretch.to });
  }
  return [...wanted.values()];
}

/** What a peer sent, or why it is refused. */
function readOr<Item>(read: () => Item): Item | { readonly refused: string } {
  try {
    return read();
  } catch (error) {
    if (error instanceof StatementError || error instanceof EnvelopeError) {
      return { refused: error.code };
    }
    throw error;
  }
}

/** Reads as it goes, so a long log never lies in memory as a whole. */
async function* envelopesFrom(
  store: Store,
  positions: Positions,
  log: LogId,
  afterSeq: number,
): AsyncIterable<Uint8Array> {
  const position = positions.get(log);
  if (position === undefined) return;
  let next: number | undefined;
  for await (const [, bytes] of store.entries(entriesFrom(log, afterSeq + 1))) {
    const { header } = readEnvelope(bytes);
    if (header.seq > position.seq) return;
    // After a gap only a snapshot is of use: it stands for what was pruned.
    const usable = header.kind === "SNAP" || header.seq === (next ?? afterSeq + 1);
    if (!usable) continue;
    next = header.seq + 1;
    yield bytes;
  }
}

/** Pruned snapshots lie before all entries that are held, and are few. */
async function* headersOf(
  { store, positions, shelf }: ReplicaSetup,
  log: LogId,
  afterSeq: number,
  of: HeaderKind,
): AsyncIterable<Uint8Array> {
  const position = positions.get(log);
  if (position === undefined) return;
  if (of === "snapshots") {
    for (const { seq } of shelf.get(log)?.knownSnapshots() ?? []) {
      if (seq <= afterSeq || seq > position.seq) continue;
      const bytes = await signedHeaderAt(store, log, seq);
      if (bytes !== undefined) yield bytes;
    }
    return;
  }
  for await (const [, bytes] of store.entries(entriesFrom(log, afterSeq + 1))) {
    const { header, headerBytes, signature } = readEnvelope(bytes);
    if (header.seq > position.seq) return;
    yield encodeSignedHeader(headerBytes, signature);
  }
}
