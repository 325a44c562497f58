/**
 * Statements by their ids, and the path from a statement back to the beginning of its chain.
 *
 * A chain may fork (decision 0010). Whoever ends it names a head, and what counts is the path from
 * that head back; other branches are left out.
 */
import type { MeshId, StatementId } from "../../../protocol/ids.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import { isChained, type SignedStatement } from "../../../protocol/statements/statement.ts";

/** A place in a chain as an EPOCH names it; seq 0 is the beginning of an empty one. */
export interface ChainPlace {
  readonly by: SignerId;
  readonly seq: number;
  readonly head: StatementId | MeshId;
}

export class StatementIndex {
  readonly #byId = new Map<StatementId | MeshId, SignedStatement>();
  readonly #paths = new Map<StatementId | MeshId, ReadonlySet<StatementId>>();

  constructor(statements: Iterable<SignedStatement>) {
    for (const statement of statements) this.#byId.set(statement.id, statement);
  }

  get(id: StatementId | MeshId): SignedStatement | undefined {
    return this.#byId.get(id);
  }

  /** The statements from this one back, as far as they are here and follow one another. */
  pathTo(head: StatementId | MeshId): ReadonlySet<StatementId> {
    const known = this.#paths.get(head);
    if (known !== undefined) return known;
    const path = new Set<StatementId>();
    let after: { readonly by: string; readonly seq: number } | undefined;
    for (let at = this.#byId.get(head); at !== undefined && isChained(at.body);) {
      const { by, seq, prev } = at.body;
      if (after !== undefined && (by !== after.by || seq !== after.seq - 1)) break;
      path.add(at.id);
      after = { by, seq };
      at = this.#byId.get(prev);
    }
    this.#paths.set(head, path);
    return path;
  }

  /** Whether a chain is here from its beginning up to this end. */
  reaches({ by, seq, head }: ChainPlace): boolean {
    if (seq === 0) return true;
    const body = this.#byId.get(head)?.body;
    if (body === undefined || !isChained(body) || body.by !== by || body.seq !== seq) return false;
    return this.pathTo(head).size === seq;
  }
}
