/**
 * All statements of one signer that are kept, and why each of them is.
 */
import type { MeshId, StatementId } from "../../../protocol/ids.ts";
import { isChained, type SignedStatement } from "../../../protocol/statements/statement.ts";

/**
 * `plain`: there was room for it within the limit of its signer. `built-on`: others have built on
 * it, so it needs neither that room nor the statement before it.
 */
export type Standing = "plain" | "built-on";

/** A place in a chain: a statement, or an owner's claim inside an OWNER. */
export interface ChainEnd {
  readonly id: StatementId | MeshId;
  readonly seq: number;
  readonly lamport: number;
}

/** How much of a signer is kept. */
export interface Room {
  readonly count: number;
  readonly sizeBytes: number;
}

export class SignerChain {
  readonly #all = new Map<SignedStatement, Standing>();
  readonly #starts: ChainEnd[] = [];
  #kept: Room = { count: 0, sizeBytes: 0 };
  #taken: Room = { count: 0, sizeBytes: 0 };

  /** All of it. */
  get kept(): Room {
    return this.#kept;
  }

  /** What is plain and named by no epoch with enough votes: that is what has a limit. */
  get taken(): Room {
    return this.#taken;
  }

  /** Whether a statement comes after all that are kept, in the order in which they take up room. */
  isAfterAll(statement: SignedStatement, standings: readonly Standing[]): boolean {
    return [...this.#all].every(
      ([each, standing]) => !standings.includes(standing) || compareInChain(each, statement) < 0,
    );
  }

  /** @param isNamed - Whether an epoch with enough votes names it, or one after it. */
  add(statement: SignedStatement, standing: Standing, isNamed: boolean): void {
    this.#all.set(statement, standing);
    this.#kept = change(this.#kept, statement, 1);
    if (!isNamed && standing === "plain") this.#taken = change(this.#taken, statement, 1);
  }

  /** From now on an epoch names this one, and it takes up no room any more. */
  name(statement: SignedStatement): void {
    if (this.#all.get(statement) === "plain") this.#taken = change(this.#taken, statement, -1);
  }

  /** The owner's claim, which a chain may begin with. */
  noteStart(start: ChainEnd): void {
    this.#starts.push(start);
  }

  /**
   * The highest place that all before it are here of; of several the lowest id. What others have
   * built on can stand beyond a gap: whoever named that as an end would name what nobody has.
   *
   * @param mesh - What the first statement of a chain comes after.
   */
  end(mesh: MeshId): ChainEnd {
    let end: ChainEnd = { id: mesh, seq: 0, lamport: 0 };
    const whole = new Set<StatementId | MeshId>([mesh]);
    const places = [...this.#all.keys()].flatMap(({ id, body }) =>
      isChained(body) ? [{ id, seq: body.seq, lamport: body.lamport, prev: body.prev }] : [],
    );
    for (const start of this.#starts) {
      whole.add(start.id);
      if (compareEnds(start, end) < 0) end = start;
    }
    for (const { prev, ...place } of places.toSorted((a, b) => a.seq - b.seq)) {
      if (!whole.has(prev)) continue;
      whole.add(place.id);
      if (compareEnds(place, end) < 0) end = place;
    }
    return end;
  }
}

function change({ count, sizeBytes }: Room, { bytes }: SignedStatement, sign: 1 | -1): Room {
  return { count: count + sign, sizeBytes: sizeBytes + sign * bytes.length };
}

function compareEnds(a: ChainEnd, b: ChainEnd): number {
  return b.seq - a.seq || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** The order in which statements of one signer take up its room. */
export function compareInChain(a: SignedStatement, b: SignedStatement): number {
  const seqOf = ({ body }: SignedStatement): number => (isChained(body) ? body.seq : 0);
  return seqOf(a) - seqOf(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
