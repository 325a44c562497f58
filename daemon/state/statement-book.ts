/**
 * The statements of this node, those that wait for others, and what they add up to.
 *
 * Which statements came after a SUSPEND of their signer is the one thing that this node remembers
 * beside the statements themselves.
 */
import { parseId, type PeerKey, type SiteId, type StatementId } from "../../protocol/ids.ts";
import { openSiteRequest } from "../../protocol/statements/site-statement.ts";
import {
  decodeStatement,
  encodeStatement,
  isUnknown,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import { authorize } from "../core/authority/authorize.ts";
import { compareStatements } from "../core/authority/decisions.ts";
import type { Authority } from "../core/authority/authority.ts";
import { StatementIndex } from "../core/authority/statement-index.ts";
import { StatementSet } from "../core/authority/statement-set.ts";
import { isHeldUp } from "../core/authority/suspensions.ts";
import type { Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { WaitingStatements, type Arrival } from "./waiting-statements.ts";
import { PARKED, parkedKey, statementKey, STATEMENTS } from "./keys.ts";
import { StateError } from "./state-error.ts";

export interface BookResult {
  readonly added: readonly SignedStatement[];
  readonly waiting: readonly StatementId[];
  readonly refused: readonly { readonly id: StatementId; readonly reason: string }[];
  readonly changes: readonly StoreChange[];
}

export class StatementBook {
  readonly #set: StatementSet;
  readonly #waiting = new WaitingStatements();
  readonly #parked = new Set<StatementId>();
  readonly #strays = new Map<PeerKey, StatementId>();
  #authority: Authority = authorize([]);

  private constructor(set: StatementSet) {
    this.#set = set;
  }

  /**
   * Reads the statements in the store. Damaged ones are left out; peers have them, too.
   *
   * @throws StateError E-STATE-STORE when there are statements but the mesh's first one is lost.
   */
  static async open(store: Store, log: Logger): Promise<StatementBook> {
    const read: SignedStatement[] = [];
    const parked: StatementId[] = [];
    let stored = 0;
    for await (const [key, bytes] of store.entries(STATEMENTS)) {
      stored += 1;
      try {
        read.push(decodeStatement(bytes));
      } catch (error) {
        log.error("a stored statement is damaged", { key, error: String(error) });
      }
    }
    for await (const [key] of store.entries(PARKED)) {
      const id = parseId<StatementId>(key.slice(PARKED.from.length));
      if (id !== undefined) parked.push(id);
    }
    const book = new StatementBook(StatementSet.of(read));
    for (const id of parked) book.#parked.add(id);
    const early = read.filter(({ id }) => book.set.get(id) === undefined);
    book.#waiting.keep(early.map((statement) => ({ statement, from: undefined })));
    book.#noteStrays(early);
    book.#authority = authorize(book.#set.all(), book.#parked);
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

  /**
   * Whether a peer may be linked: a member, or one that the store says is enrolled though the
   * statements before that were damaged. Those are to be had from somebody, and whoever lost
   * an early one knows no member any more.
   */
  mayLink(peer: PeerKey): boolean {
    if (this.#authority.isMember(peer)) return true;
    const statement = this.#strays.get(peer);
    return statement !== undefined && this.#set.get(statement) === undefined;
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
    const { added, dropped, refused } = this.#enter(
      statements.map((statement) => ({ statement, from })),
    );
    const changes: StoreChange[] = [
      ...added.map((statement): StoreChange => ({
        kind: "put",
        key: statementKey(statement.id),
        value: encodeStatement(statement),
      })),
      ...dropped.map((id): StoreChange => ({ kind: "delete", key: statementKey(id) })),
    ];
    if (added.length + dropped.length > 0) {
      this.#authority = authorize(this.#set.all(), this.#parked);
      const parking = this.#park(added);
      if (parking.length > 0) this.#authority = authorize(this.#set.all(), this.#parked);
      changes.push(...parking);
    }
    const named = new Set(statements.map(({ id }) => id));
    return {
      added,
      waiting: [...named].filter((id) => this.#waiting.has(id)),
      refused,
      changes,
    };
  }

  /** Enrolments in the store that have lost what they build on. */
  #noteStrays(early: readonly SignedStatement[]): void {
    for (const { id, body } of early) {
      if (isUnknown(body) || body.kind !== "SITE") continue;
      const key = openSiteRequest(body)?.key;
      if (key !== undefined) this.#strays.set(key, id);
    }
  }

  #enter(arrivals: readonly Arrival[]): {
    readonly added: readonly SignedStatement[];
    readonly dropped: readonly StatementId[];
    readonly refused: BookResult["refused"];
  } {
    const entered = new Map<StatementId, SignedStatement>();
    const left = new Set<StatementId>();
    const refused = new Map<StatementId, string>();
    const isHere = (id: StatementId): boolean => this.#set.get(id) !== undefined;
    let rest = arrivals;
    let before;
    do {
      // What waits is looked at again only when something has entered that it may wait for.
      if (entered.size > 0) rest = [...this.#waiting.takeAll(), ...rest];
      // So is what entered and had to leave: an epoch that came after it may name it.
      const due = new Set(rest.map(({ statement }) => statement.id));
      const gone = [...entered.values()].filter(({ id }) => !isHere(id) && !due.has(id));
      rest = [...rest, ...gone.map((statement) => ({ statement, from: undefined }))];
      before = entered.size;
      rest = rest.toSorted(byPlace).filter(({ statement }) => {
        const { id } = statement;
        const verdict = this.#set.add(statement);
        refused.delete(id);
        if (verdict.kind === "accepted") {
          entered.set(id, statement);
          for (const each of verdict.dropped) left.add(each);
        } else if (verdict.kind === "refused") {
          refused.set(id, verdict.reason);
          // Something that backs it may come with it.
          return verdict.reason === "E-STATE-LIMIT";
        }
        return verdict.kind === "waiting";
      });
    } while (entered.size > before);
    const early = rest.filter(({ statement }) => !refused.has(statement.id));
    for (const { id } of this.#waiting.keep(early)) refused.set(id, "E-STATE-FULL");
    return {
      added: [...entered.values()].filter(({ id }) => isHere(id)),
      dropped: [...left].filter((id) => !isHere(id)),
      refused: [...refused].map(([id, reason]) => ({ id, reason })),
    };
  }

  /** Parks what came too late for a suspended signer, and forgets what nothing parks any more. */
  #park(added: readonly SignedStatement[]): readonly StoreChange[] {
    const { suspensions } = this.#authority;
    if (suspensions.length === 0 && this.#parked.size === 0) return [];
    const index = new StatementIndex(this.#set.all());
    const changes: StoreChange[] = [];
    for (const statement of added) {
      if (!isHeldUp(statement, suspensions, index)) continue;
      this.#parked.add(statement.id);
      changes.push({ kind: "put", key: parkedKey(statement.id), value: Uint8Array.of(1) });
    }
    for (const id of this.#parked) {
      const statement = this.#set.get(id);
      if (statement !== undefined && isHeldUp(statement, suspensions, index)) continue;
      this.#parked.delete(id);
      changes.push({ kind: "delete", key: parkedKey(id) });
    }
    return changes;
  }
}

function byPlace(a: Arrival, b: Arrival): number {
  return compareStatements(a.statement, b.statement);
}
