/**
 * Bounds for statements that stand in no chain.
 *
 * Of each group a fixed number is kept, the first in an order of its own, so what stays does not
 * depend on the order of arrival. The orders are such that whoever signs more of them than are
 * kept can only make less of its own count.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import { openForkProof } from "../../../protocol/statements/fork-proof-statement.ts";
import type { AckBody } from "../../../protocol/statements/ack-statement.ts";
import type { ForkProofBody } from "../../../protocol/statements/fork-proof-statement.ts";
import type { LeaveBody } from "../../../protocol/statements/leave-statement.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import { MAX_FORKED_LOGS } from "../logs/log-ends.ts";

export type FreeBody = AckBody | LeaveBody | ForkProofBody;

/** Different epochs of one number that a site acknowledged: an honest one after a rollback, two. */
const MAX_ACKS_OF_NUMBER = 8;
const MAX_LEAVES = 4;

interface Place {
  readonly group: string;
  /** The first so many of a group stay. */
  readonly most: number;
  /** Compared as text. Of several with one `slot` only the first stays. */
  readonly rank: string;
  readonly slot: string;
}

/** Who a statement is about: the site that signed it, or the author of the forked log. */
export function subjectOf(body: FreeBody): SiteId | undefined {
  return body.kind === "FORK_PROOF" ? openForkProof(body)?.author : body.by;
}

function placeOf({ id, body }: { readonly id: string; readonly body: FreeBody }): Place {
  switch (body.kind) {
    case "ACK":
      return { group: `ACK ${body.by} ${body.n}`, most: MAX_ACKS_OF_NUMBER, rank: id, slot: id };
    case "LEAVE": {
      const kept = body.heads.reduce((sum, { seq }) => sum + seq, 0);
      return { group: `LEAVE ${body.by}`, most: MAX_LEAVES, rank: digits(kept) + id, slot: id };
    }
    case "FORK_PROOF": {
      const fork = openForkProof(body);
      const slot: string = fork?.log ?? "";
      const rank = slot + digits(fork?.last?.seq ?? 0) + id;
      return { group: `FORK ${fork?.author ?? ""}`, most: MAX_FORKED_LOGS, rank, slot };
    }
  }
}

function digits(value: number): string {
  return String(value).padStart(20, "0");
}

interface Kept {
  readonly place: Place;
  readonly statement: SignedStatement;
}

export class KeptGroups {
  readonly #groups = new Map<string, readonly Kept[]>();

  /** Takes a statement in. @returns Those that have to leave for it: itself, maybe. */
  add(statement: SignedStatement, body: FreeBody): readonly SignedStatement[] {
    const place = placeOf({ id: statement.id, body });
    const all = [...(this.#groups.get(place.group) ?? []), { place, statement }];
    const ranked = all.toSorted((a, b) => (a.place.rank < b.place.rank ? -1 : 1));
    const slots = new Set<string>();
    const kept = ranked.filter((each) => {
      if (slots.has(each.place.slot) || slots.size >= place.most) return false;
      slots.add(each.place.slot);
      return true;
    });
    this.#groups.set(place.group, kept);
    return all.filter((each) => !kept.includes(each)).map((each) => each.statement);
  }
}
