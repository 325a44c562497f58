/**
 * Statements in memory until what they build on is here: a bounded room for each peer.
 */
import type { SiteId, StatementId } from "../../protocol/ids.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";
import { compareStatements } from "../core/authority/decisions.ts";

/** Statements of one peer. */
const MAX_WAITING = 1024;
const MAX_WAITING_BYTES = 1024 * 1024;

export interface Arrival {
  readonly statement: SignedStatement;
  /** Undefined: this site brought it in itself. */
  readonly from: SiteId | undefined;
}

interface Room {
  readonly statements: Map<StatementId, SignedStatement>;
  sizeBytes: number;
}

export class WaitingStatements {
  readonly #rooms = new Map<SiteId | undefined, Room>();

  has(id: StatementId): boolean {
    return [...this.#rooms.values()].some(({ statements }) => statements.has(id));
  }

  /** Empties all rooms. */
  takeAll(): readonly Arrival[] {
    const all = [...this.#rooms].flatMap(([from, { statements }]) =>
      [...statements.values()].map((statement) => ({ statement, from })),
    );
    this.#rooms.clear();
    return all;
  }

  /** @returns Those that found no room: the last ones come again in the next round. */
  keep(arrivals: readonly Arrival[]): readonly SignedStatement[] {
    const crowded = new Set<Room>();
    for (const { statement, from } of arrivals) {
      const room = this.#rooms.get(from) ?? { statements: new Map(), sizeBytes: 0 };
      this.#rooms.set(from, room);
      if (room.statements.has(statement.id)) continue;
      room.statements.set(statement.id, statement);
      room.sizeBytes += statement.bytes.length;
      if (isCrowded(room)) crowded.add(room);
    }
    return [...crowded].flatMap(thin);
  }
}

function isCrowded({ statements, sizeBytes }: Room): boolean {
  return statements.size > MAX_WAITING || sizeBytes > MAX_WAITING_BYTES;
}

/** Those that come first are of use first. */
function thin(room: Room): SignedStatement[] {
  const gone: SignedStatement[] = [];
  const last = [...room.statements.values()].toSorted(compareStatements);
  while (isCrowded(room)) {
    const statement = last.pop();
    if (statement === undefined) break;
    room.statements.delete(statement.id);
    room.sizeBytes -= statement.bytes.length;
    gone.push(statement);
  }
  return gone;
}
