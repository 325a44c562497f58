/**
 * Takes statements in, and carries out what they change for logs, views and waiting entries.
 */
import type { ForkProofBody } from "../../protocol/statements/fork-proof-statement.ts";
import type { SiteId, StatementId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import {
  encodeStatement,
  signStatement,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import { dueAcknowledgement } from "./acknowledge.ts";
import type { Announcer } from "./announcer.ts";
import type { CommitQueue, Outcome } from "./commit-queue.ts";
import { statementKey } from "./keys.ts";
import type { Limits } from "./limits/limits.ts";
import { positionsOf, type Positions } from "./positions.ts";
import type { Shelf } from "./shelf.ts";
import type { StatementBook } from "./statement-book.ts";
import type { ViewCache } from "./view-cache.ts";

export interface AddResult {
  readonly added: readonly StatementId[];
  /** In memory only, until what they name is here. */
  readonly waiting: readonly StatementId[];
  readonly refused: readonly { readonly id: StatementId; readonly reason: string }[];
}

interface StatementIntakeSetup {
  readonly siteKey: SigningKey;
  readonly queue: CommitQueue;
  readonly book: StatementBook;
  readonly shelf: Shelf;
  readonly limits: Limits;
  readonly positions: Positions;
  readonly views: ViewCache;
  readonly announcer: Announcer;
  /** Gives every entry that waits another chance. */
  readonly takeWaiting: () => Promise<readonly Outcome<unknown>[]>;
}

export class StatementIntake {
  readonly #setup: StatementIntakeSetup;

  constructor(setup: StatementIntakeSetup) {
    this.#setup = setup;
  }

  /**
   * A job of the queue.
   *
   * @param from - Undefined: they come from this node.
   */
  async add(
    statements: readonly SignedStatement[],
    from: SiteId | undefined,
  ): Promise<Outcome<AddResult>> {
    const { book, limits, views, shelf, positions, announcer, queue } = this.#setup;
    const before = book.authority;
    const { added, waiting, refused, changes } = book.add(statements, from);
    const result = { added: added.map(({ id }) => id), waiting, refused };
    queue.stage(changes);
    if (added.length === 0) return { publish: () => {}, result };
    // Before anything is durable: what was accepted until now is what a suspension leaves shown.
    limits.remember(before, book.authority);
    const acknowledged = await this.#acknowledge();
    views.forgetAll();
    const touched = await limits.apply(book.authority);
    const now = [...touched].map((name) => [name, positionsOf(shelf, name)] as const);
    const woken = await this.#setup.takeWaiting();
    const publish = (): void => {
      for (const [name, counting] of now) positions.set(name, counting);
      views.forgetAll();
      for (const statement of added) {
        const bytes = encodeStatement(statement);
        announcer.tellItem({ kind: "statement", id: statement.id, bytes, from });
      }
      for (const { id, bytes } of acknowledged) {
        announcer.tellItem({ kind: "statement", id, bytes, from: undefined });
      }
      announcer.noteStatements();
      for (const outcome of woken) outcome.publish();
    };
    return { publish, result };
  }

  /** Makes a proof of a fork known, and what it ends. */
  prove(proof: ForkProofBody): Promise<Outcome<AddResult>> {
    return this.add([signStatement(proof, [])], undefined);
  }

  /** Durable before anybody can ask for it: a second, other word after a crash would be a lie. */
  async #acknowledge(): Promise<
    readonly { readonly id: StatementId; readonly bytes: Uint8Array }[]
  > {
    const { book, queue, siteKey } = this.#setup;
    const { set, authority } = book;
    const due = dueAcknowledgement(set, authority, siteKey);
    if (due === undefined) return [];
    const bytes = encodeStatement(due);
    queue.stage([{ kind: "put", key: statementKey(due.id), value: bytes }]);
    await queue.flush();
    queue.stage(book.add([due]).changes);
    return [{ id: due.id, bytes }];
  }
}
