/**
 * The statements of this node, those that wait for others, and what they add up to.
 */
import type { StatementId } from "../../protocol/ids.ts";
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

/** Statements kept in memory until what they name is here; at most 2 MiB. */
const MAX_WAITING = 512;

export interface BookResult {
  readonly added: readonly SignedStatement[];
  readonly waiting: readonly StatementId[];
  readonly refused: readonly { readonly id: StatementId; readonly reason: string }[];
  readonly changes: readonly StoreChange[];
}

export class StatementBook {
  readonly #set = new StatementSet();
  readonly #waiting = new Map<StatementId, SignedStatement>();
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

  /** Takes in statements in any order, and whatever waited for them. */
  add(statements: readonly SignedStatement[]): BookResult {
    const added: SignedStatement[] = [];
    const refused: { id: StatementId; reason: string }[] = [];
    const dropped: StatementId[] = [];
    let rest = [...statements, ...this.#waiting.values()].toSorted(compareStatements);
    let before;
    do {
      before = rest.length;
      rest = rest.filter((statement) => {
        const verdict = this.#set.add(statement);
        if (verdict.kind === "accepted") {
          added.push(statement);
          dropped.push(...verdict.dropped);
        } else if (verdict.kind === "refused") {
          refused.push({ id: statement.id, reason: verdict.reason });
        }
        return verdict.kind === "waiting";
      });
    } while (rest.length > 0 && rest.length < before);
    this.#waiting.clear();
    for (const statement of rest) {
      if (this.#waiting.size < MAX_WAITING) this.#waiting.set(statement.id, statement);
      else refused.push({ id: statement.id, reason: "E-STATE-FULL" });
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
}
