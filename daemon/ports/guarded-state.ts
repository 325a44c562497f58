/**
 * The state as replication and commands reach it: on a full disk records are refused before the
 * state begins a write, because a write that fails half way ends the daemon. Statements are small
 * and are taken for as long as the reserve lasts: a revocation has to arrive.
 */
import type { Replica } from "../state/replica.ts";
import type { State } from "../state/state.ts";

type RequireRoom = (sizeBytes: number) => Promise<void>;

/** Not the peer's fault; it will come again. */
const NO_ROOM = { refused: "E-STATE-FULL" } as const;

export function guardedReplica(replica: Replica, require: RequireRoom): Replica {
  return {
    statementDigest: () => replica.statementDigest(),
    stateDigest: () => replica.stateDigest(),
    classDigest: (recordClass) => replica.classDigest(recordClass),
    statementIds: () => replica.statementIds(),
    statement: (id) => replica.statement(id),
    vector: (recordClass, bucket) => replica.vector(recordClass, bucket),
    envelopesFrom: (log, afterSeq) => replica.envelopesFrom(log, afterSeq),
    position: (log) => replica.position(log),
    wantedAfter: (log) => replica.wantedAfter(log),
    stretchesWanted: (log, shows) => replica.stretchesWanted(log, shows),
    authorOf: (envelope) => replica.authorOf(envelope),
    headersOf: (log, afterSeq, of) => replica.headersOf(log, afterSeq, of),
    receiveHeader: (bytes, from) => replica.receiveHeader(bytes, from),
    receiveStatement: (bytes, from) => replica.receiveStatement(bytes, from),
    receiveEnvelope: async (bytes, from) => {
      const room = await require(bytes.length).then(
        () => true,
        () => false,
      );
      return room ? replica.receiveEnvelope(bytes, from) : NO_ROOM;
    },
    onNew: (listener) => replica.onNew(listener),
    noteConfirmed: (log, seq, by) => replica.noteConfirmed(log, seq, by),
  };
}

/** Writes own records when there is room. @throws SpaceError when there is none. */
export function guardedWrite(state: State, require: RequireRoom): State["write"] {
  return async (changes) => {
    const adds = changes.some(({ value }) => value !== undefined);
    if (adds) await require(Buffer.byteLength(JSON.stringify(changes)));
    return state.write(changes);
  };
}
