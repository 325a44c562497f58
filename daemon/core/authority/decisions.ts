/**
 * The statements of a mesh as one computation of authority goes through them: by kind, in one order,
 * with the rule of whose word counts.
 */
import type { OperatorId, SiteId, StatementId } from "../../../protocol/ids.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import {
  isChained,
  isUnknown,
  type KnownBody,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import type { Suspension } from "./authority.ts";
import { countsUnder } from "./epoch-choice.ts";
import type { SoundEpoch } from "./epochs.ts";
import type { StatementIndex } from "./statement-index.ts";

export type Kind = KnownBody["kind"];

/** A statement of a kind that this version knows. */
export interface Decision<K extends Kind> {
  readonly id: StatementId;
  readonly body: Extract<KnownBody, { readonly kind: K }>;
}

/** Whatever a signer had seen stands before what it signed. */
export function compareStatements(a: SignedStatement, b: SignedStatement): number {
  return lamportOf(a) - lamportOf(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function lamportOf({ body }: SignedStatement): number {
  return isChained(body) ? body.lamport : 0;
}

export class Decisions {
  readonly index: StatementIndex;
  readonly #byKind: ReadonlyMap<string, readonly SignedStatement[]>;

  /** @param ordered - By {@link compareStatements}. */
  constructor(ordered: readonly SignedStatement[], index: StatementIndex) {
    this.index = index;
    this.#byKind = Map.groupBy(
      ordered.filter(({ body }) => !isUnknown(body)),
      ({ body }) => body.kind,
    );
  }

  of<K extends Kind>(kind: K): readonly Decision<K>[] {
    return (this.#byKind.get(kind) ?? []) as unknown as readonly Decision<K>[];
  }
}

/** Judges single statements of operators under the epochs that count. */
export class OperatorRights {
  readonly #tips: readonly SoundEpoch[];
  readonly #index: StatementIndex;
  readonly #parked: ReadonlySet<StatementId>;
  readonly #suspended: ReadonlySet<SignerId | SiteId>;

  /**
   * @param parked - Statements that came here after a SUSPEND of their signer that they are not
   *   covered by. They are idle as long as any SUSPEND of the signer is open.
   */
  constructor(
    tips: readonly SoundEpoch[],
    index: StatementIndex,
    parked: ReadonlySet<StatementId> = new Set(),
    suspensions: readonly Suspension[] = [],
  ) {
    this.#tips = tips;
    this.#index = index;
    this.#parked = parked;
    this.#suspended = new Set(suspensions.map(({ key }) => key));
  }

  /** Why a statement has no effect; undefined: it counts under every epoch that counts. */
  objection(id: StatementId, by: SignerId): string | undefined {
    if (this.#tips.every((epoch) => countsUnder(epoch, by, id, this.#index))) {
      const parked = this.#parked.has(id) && this.#suspended.has(by);
      return parked ? "parked: its signer is suspended" : undefined;
    }
    const former = this.#tips.some(({ ends, operators }) => {
      return ends.has(by) || operators.has(by as OperatorId);
    });
    return former
      ? "signed by an operator beyond the end that an epoch set"
      : "not signed by an operator";
  }
}
