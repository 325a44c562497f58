/**
 * Answers replication from what is durable here.
 */
import { sha256, toHex, type LogId, type SiteId } from "../../protocol/ids.ts";
import {
  decodeStatement,
  encodeStatement,
  type SignedStatement,
} from "../../protocol/statement.ts";
import { decodeEnvelope } from "../../protocol/envelope.ts";
import type { StatementSet } from "../core/statement-set.ts";
import type { Store } from "../core/store.ts";
import type { Confirmations } from "./confirmations.ts";
import { entriesFrom } from "./keys.ts";
import type { Positions } from "./positions.ts";
import type { NewItem, Reception, Replica } from "./replica.ts";

interface ReplicaSetup {
  readonly store: Store;
  readonly statements: StatementSet;
  readonly positions: Positions;
  readonly confirmations: Confirmations;
  readonly listeners: Set<(item: NewItem) => void>;
  readonly receiveStatement: (statement: SignedStatement, from: SiteId) => Promise<Reception>;
  readonly receiveEnvelope: (bytes: Uint8Array, from: SiteId) => Promise<Reception>;
}

export function createReplica(setup: ReplicaSetup): Replica {
  const { store, statements, positions, confirmations, listeners } = setup;
  const statementIds = () =>
    statements
      .all()
      .map(({ id }) => id)
      .toSorted();
  return {
    statementIds,
    statementDigest: () => toHex(sha256("pleach/statements/1\0", ...statementIds())),
    statement(id) {
      const statement = statements.get(id);
      return statement === undefined ? undefined : encodeStatement(statement);
    },
    stateDigest: () => positions.stateDigest(),
    classDigest: (recordClass) => positions.classDigest(recordClass),
    vector: (recordClass, bucket) => positions.bucket(recordClass, bucket),
    envelopesFrom: (log, afterSeq) => envelopesFrom(store, positions, log, afterSeq),
    async receiveStatement(bytes, from) {
      let statement: SignedStatement;
      try {
        statement = decodeStatement(bytes);
      } catch (error) {
        return {
          refused: error instanceof Error && "code" in error ? String(error.code) : "E-BUG",
        };
      }
      return setup.receiveStatement(statement, from);
    },
    receiveEnvelope: setup.receiveEnvelope,
    onNew(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    noteConfirmed(log, seq, by) {
      // A peer can say anything: only what is here takes room, and nothing beyond its end counts.
      const position = positions.get(log);
      if (position !== undefined) confirmations.note(log, Math.min(seq, position.seq), by);
    },
  };
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
    const { header } = decodeEnvelope(bytes);
    if (header.seq > position.seq) return;
    // After a gap only a snapshot is of use: it stands for what was pruned.
    const usable = header.kind === "SNAP" || header.seq === (next ?? afterSeq + 1);
    if (!usable) continue;
    next = header.seq + 1;
    yield bytes;
  }
}
