/**
 * The statements of this node, those that wait for others, and what they add up to.
 */
import type { SiteId, StatementId } from "../../protocol/ids.ts";
import {
  decodeStatement,
  encodeStatement,
  type SignedStatement,
} from "../../protocol/statement.ts";
import { authorize, compareStatements } from "../core/authorize.ts";
import type { Authority } from "../core/authority.ts";
import { StatementSet } from "../core/statement-set.ts";
import type { Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { statementKey, STATEMENTS } from "./keys.ts";
import { StateError } from "./state-error.ts";

/** Statements of one peer kept in memory until what they name is here; at most 1 MiB. */
const MAX_WAITING = 256;

interface Waiting {
  readonly statement: SignedStatement;
  /** Undefined: this site brought it in itself. */
  readonly from: SiteId | undefined;
}

export interface BookResult {
  readonly added: readonly SignedStatement[];
  readonly waiting: readonly StatementId[];
  readonly refused: readonly { readonly id: StatementId; readonly reason: string }[];
  readonly changes: readonly StoreChange[];
}

export class StatementBook {
  readonly #set = new StatementSet();
  readonly #waiting = new Map<StatementId, Waiting>();
  #authority: Authority = authorize([]);

  /**
   * Reads the statements in the store. Damaged ones are left out; peers have them, too.
   *
   * @throws StateError E-STATE-STORE when there are statements but the mesh's first one is lost.
   */
  static async open(store: Store, log: Logger): Promise<StatementBook> {
    const book = new StatementBook();
    const read: SignedStatement[] = [];
    let stored = 0;
    for await (const [key, bytes] of store.entries(STATEMENTS)) {
      stored += 1;
      try {
        read.push(decodeStatement(bytes));
      } catch (error) {
        log.error("a stored statement is damaged", { key, error: String(error) });
      }
    }
    book.add(read);
    if (stored > 0 && book.set.meshId === undefined) {
      throw new StateError(
        "E-STATE-STORE",
        "The store has lost the statement that founds the mesh.",
        {
          hint: "Put the data directory back from a copy, or recover this site as a new one.",
        },
      );
    }
    return book;
  }

  get set(): StatementSet {
    return this.#set;
  }

  get authority(): Authority {
    return this.#authority;
  }

  /**
   * Takes in statements in any order, and whatever waited for them.
   *
   * @param from - The peer that sent them: each has its own room for those that have to wait.
   */
  add(statements: readonly SignedStatement[], from?: SiteId): BookResult {
    const added: SignedStatement[] = [];
    const refused: { id: StatementId; reason: string }[] = [];
    const dropped: StatementId[] = [];
    let rest: readonly Waiting[] = statements.map((statement) => ({ statement, from }));
    let before;
    do {
      // What waits is looked at again only when something has entered that it may wait for.
      if (added.length > 0) rest = [...this.#takeWaiting(), ...rest];
      before = rest.length;
      rest = rest.toSorted(byPlace).filter(({ statement }) => {
        const verdict = this.#set.add(statement);
        if (verdict.kind === "accepted") {
          added.push(statement);
          dropped.push(...verdict.dropped);
        } else if (verdict.kind === "refused") {
          refused.push({ id: statement.id, reason: verdict.reason });
        }
        return verdict.kind === "waiting";
      });
    } while (rest.length < before);
    for (const each of rest) {
      if (!this.#keepWaiting(each)) refused.push({ id: each.statement.id, reason: "E-STATE-FULL" });
    }
    if (added.length > 0) this.#authority = authorize(this.#set.all());
    const named = new Set(statements.map(({ id }) => id));
    return {
      added,
      waiting: [...this.#waiting.keys()].filter((id) => named.has(id)),
      refused,
      changes: [
        ...added.map((statement): StoreChange => ({
          kind: "put",
          key: statementKey(statement.id),
          value: encodeStatement(statement),
        })),
        ...dropped.map((id): StoreChange => ({ kind: "delete", key: statementKey(id) })),
      ],
    };
  }

  #takeWaiting(): readonly Waiting[] {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    return all;
  }

  #keepWaiting(each: Waiting): boolean {
    const { id } = each.statement;
    if (this.#waiting.has(id)) return true;
    const kept = [...this.#waiting.values()].filter(({ from }) => from === each.from);
    this.#waiting.set(id, each);
    if (kept.length < MAX_WAITING) return true;
    // Those that come first are of use first; the others come again in the next round.
    const last = [each, ...kept].reduce((a, b) => (byPlace(a, b) < 0 ? b : a));
    this.#waiting.delete(last.statement.id);
    return last !== each;
  }
}

function byPlace(a: Waiting, b: Waiting): number {
  return compareStatements(a.statement, b.statement);
}
