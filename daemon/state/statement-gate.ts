/**
 * Lets statements of one peer in together that arrive while others are being taken in.
 *
 * After each group the authority is computed anew, from all statements there are; thousands that a
 * new member gets from its first peer must not cost that thousands of times.
 */
import type { SiteId, StatementId } from "../../protocol/ids.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";
import type { Reception } from "./replica.ts";

/** What became of a group. */
export interface GroupResult {
  readonly added: readonly StatementId[];
  readonly waiting: readonly StatementId[];
  readonly refused: readonly { readonly id: StatementId; readonly reason: string }[];
}

interface Group {
  readonly statements: SignedStatement[];
  readonly result: Promise<ReadonlyMap<StatementId, Reception>>;
}

export class StatementGate {
  readonly #groups = new Map<SiteId, Group>();
  readonly #takeIn: (open: () => readonly SignedStatement[], from: SiteId) => Promise<GroupResult>;

  /** @param takeIn - Calls `open` when it begins: whatever came until then is in the group. */
  constructor(
    takeIn: (open: () => readonly SignedStatement[], from: SiteId) => Promise<GroupResult>,
  ) {
    this.#takeIn = takeIn;
  }

  async receive(statement: SignedStatement, from: SiteId): Promise<Reception> {
    const group = this.#groups.get(from) ?? this.#begin(from);
    group.statements.push(statement);
    return (await group.result).get(statement.id) ?? "known";
  }

  #begin(from: SiteId): Group {
    const statements: SignedStatement[] = [];
    const open = (): readonly SignedStatement[] => {
      this.#groups.delete(from);
      return statements;
    };
    const group = { statements, result: this.#takeIn(open, from).then(receptions) };
    this.#groups.set(from, group);
    return group;
  }
}

function receptions({ added, waiting, refused }: GroupResult): Map<StatementId, Reception> {
  const all = new Map<StatementId, Reception>();
  for (const { id, reason } of refused) all.set(id, { refused: reason });
  for (const id of waiting) all.set(id, "waiting");
  for (const id of added) all.set(id, "accepted");
  return all;
}
