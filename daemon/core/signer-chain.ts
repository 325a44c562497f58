/**
 * All statements of one signer that are kept, and why each of them is.
 */
import type { MeshId, StatementId } from "../../protocol/ids.ts";
import { isChained, type SignedStatement } from "../../protocol/statement.ts";

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

export class SignerChain {
  readonly #all = new Map<SignedStatement, Standing>();
  readonly #starts: ChainEnd[] = [];
  /** Of those that no epoch names. */
  #count = 0;
  #sizeBytes = 0;
  #plainCount = 0;
  #plainBytes = 0;

  get statements(): Iterable<SignedStatement> {
    return this.#all.keys();
  }

  /** How many of them no epoch names, and their bytes. */
  get unnamed(): { readonly count: number; readonly sizeBytes: number } {
    return { count: this.#count, sizeBytes: this.#sizeBytes };
  }

  /** How many of those stand in the room of the signer, and their bytes. */
  get plain(): { readonly count: number; readonly sizeBytes: number } {
    return { count: this.#plainCount, sizeBytes: this.#plainBytes };
  }

  /** The last one, in the order in which they take up the room. */
  get lastPlain(): SignedStatement | undefined {
    const plain = [...this.#all].flatMap(([each, standing]) => (standing === "plain" ? each : []));
    return plain.reduce<SignedStatement | undefined>(
      (last, each) => (last === undefined || compareInChain(last, each) < 0 ? each : last),
      undefined,
    );
  }

  /** @param isNamed - Whether an epoch with enough votes names it, or one after it. */
  add(statement: SignedStatement, standing: Standing, isNamed: boolean): void {
    this.#all.set(statement, standing);
    if (!isNamed) this.#account(statement, standing, 1);
  }

  /** From now on an epoch names this one, and it takes up no room any more. */
  name(statement: SignedStatement): void {
    const standing = this.#all.get(statement);
    if (standing !== undefined) this.#account(statement, standing, -1);
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

  #account(statement: SignedStatement, standing: Standing, sign: 1 | -1): void {
    const sizeBytes = sign * statement.bytes.length;
    this.#count += sign;
    this.#sizeBytes += sizeBytes;
    if (standing === "built-on") return;
    this.#plainCount += sign;
    this.#plainBytes += sizeBytes;
  }
}

function compareEnds(a: ChainEnd, b: ChainEnd): number {
  return b.seq - a.seq || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** The order in which statements of one signer take up its room. */
export function compareInChain(a: SignedStatement, b: SignedStatement): number {
  const seqOf = ({ body }: SignedStatement): number => (isChained(body) ? body.seq : 0);
  return seqOf(a) - seqOf(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
