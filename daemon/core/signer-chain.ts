/**
 * All statements of one signer, and which of them may stay.
 *
 * The first in the order (seq, id) stay, up to the limits of GENESIS. Three sorts are kept before all others,
 * so that a signer cannot push out of the set, by statements that it adds later, what others have
 * built on: what an epoch with enough votes names as known (and the path to it), votes for an EPOCH
 * that is here, and EPOCHs that somebody else has voted for or goes on from. The latter two take up
 * room, the first does not.
 */
import type { MeshId, StatementId } from "../../protocol/ids.ts";
import { isChained, type SignedStatement } from "../../protocol/statement.ts";

/** Statements of one signer beyond what epochs name. */
const MAX_SIGNER_BYTES = 4 * 1024 * 1024;

export type Standing = "pinned" | "backed" | "plain";

/** A place in a chain: a statement, or an owner's claim inside an OWNER. */
export interface ChainEnd {
  readonly id: StatementId | MeshId;
  readonly seq: number;
  readonly lamport: number;
}

export class SignerChain {
  readonly #all = new Set<SignedStatement>();
  #sizeBytes = 0;
  /** The owner's claim, which a chain may begin with. */
  readonly #starts: ChainEnd[] = [];

  get statements(): ReadonlySet<SignedStatement> {
    return this.#all;
  }

  add(statement: SignedStatement): void {
    this.#all.add(statement);
    this.#sizeBytes += statement.bytes.length;
  }

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
    const places = [...this.#all].flatMap(({ id, body }) =>
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

  /**
   * What has to leave so that the rest keeps to the limit, with one more that wants to enter.
   *
   * @param standing - Whether others build on a statement.
   */
  surplus(
    limit: number,
    standing: (statement: SignedStatement) => Standing,
    next?: SignedStatement,
  ): readonly SignedStatement[] {
    const all = next === undefined ? [...this.#all] : [...this.#all, next];
    const total = this.#sizeBytes + (next?.bytes.length ?? 0);
    if (all.length <= limit && total <= MAX_SIGNER_BYTES) return [];
    const plain: SignedStatement[] = [];
    let count = 0;
    let sizeBytes = 0;
    for (const statement of all) {
      const sort = standing(statement);
      if (sort === "plain") plain.push(statement);
      else if (sort === "backed") {
        count += 1;
        sizeBytes += statement.bytes.length;
      }
    }
    plain.sort(compareInChain);
    const first = plain.findIndex((statement) => {
      count += 1;
      sizeBytes += statement.bytes.length;
      return count > limit || sizeBytes > MAX_SIGNER_BYTES;
    });
    // All from there on: what builds on one that leaves leaves, too.
    return first === -1 ? [] : plain.slice(first);
  }
}

function compareEnds(a: ChainEnd, b: ChainEnd): number {
  return b.seq - a.seq || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** The order in which statements of one signer count against its limit. */
function compareInChain(a: SignedStatement, b: SignedStatement): number {
  const seqOf = ({ body }: SignedStatement): number => (isChained(body) ? body.seq : 0);
  return seqOf(a) - seqOf(b) || (a.id < b.id ? -1 : 1);
}
