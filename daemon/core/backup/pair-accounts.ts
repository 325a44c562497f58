/**
 * What two sites do for one another, as the view shows it to both: bytes now, and bytes times days.
 *
 * Three figures in each direction, each at most the one before: what one gave the other to keep,
 * what the other says to hold in full, and what of that it has proven. The sums are kept by the
 * askers in their own logs. What counts is the word of the owner's site or, if it is more, what
 * two co-holders both confirm: an owner cannot deny what others have seen.
 */
import type { SetId, SiteId } from "../../../protocol/ids.ts";
import type { AuditFinding } from "../../../protocol/logs/hold-record.ts";
import type { PlaceRecord } from "../../../protocol/logs/record.ts";
import { FactsReader, type GroupFacts } from "./group-facts.ts";
import { coHolders } from "./holder-standing.ts";
import type { View } from "../logs/view.ts";
import { placesIn } from "./published.ts";

export interface Account {
  /** Bytes that are placed there now. */
  readonly givenBytes: number;
  /** Of these, in groups that it says to hold in full. */
  readonly heldBytes: number;
  /** Of these, in sets in which nothing is open or lost. */
  readonly provenBytes: number;
  readonly givenByteDays: number;
  readonly heldByteDays: number;
  readonly provenByteDays: number;
}

const NOTHING: Account = {
  ...{ givenBytes: 0, heldBytes: 0, provenBytes: 0 },
  ...{ givenByteDays: 0, heldByteDays: 0, provenByteDays: 0 },
};

/** Whether nothing was ever given. */
export function isNothing({ givenBytes, givenByteDays }: Account): boolean {
  return givenBytes === 0 && givenByteDays === 0;
}

/** What `at` keeps for `from`. */
export function accountOf(
  view: View,
  members: ReadonlySet<SiteId>,
  from: SiteId,
  at: SiteId,
): Account {
  let sum = NOTHING;
  for (const { set, author, place } of placesIn(view)) {
    if (author === from) sum = added(sum, ofSet(view, members, set, from, at, place));
  }
  return sum;
}

function ofSet(
  view: View,
  members: ReadonlySet<SiteId>,
  set: SetId,
  by: SiteId,
  at: SiteId,
  { owner }: PlaceRecord,
): Account {
  const all = new FactsReader(view, members).set({ owner, set, by });
  const given = all.filter(({ targets }) => targets.includes(at));
  const held = given.filter(({ holding, generation }) => {
    return (holding.get(at)?.generation ?? 0) >= generation;
  });
  const [first] = all;
  const isProven = first?.findings.get(by)?.get(at)?.outcome === "proven";
  const bytes = (some: readonly GroupFacts[]): number =>
    some.reduce((sum, one) => sum + one.bytes, 0);
  return {
    givenBytes: bytes(given),
    heldBytes: bytes(held),
    provenBytes: isProven ? bytes(held) : 0,
    givenByteDays: byteDays(first, at, ({ given }) => given),
    heldByteDays: byteDays(first, at, ({ held }) => held),
    provenByteDays: byteDays(first, at, ({ proven }) => proven),
  };
}

function byteDays(
  facts: GroupFacts | undefined,
  at: SiteId,
  sum: (finding: AuditFinding) => number,
): number {
  if (facts === undefined) return 0;
  const said = (asker: SiteId): number => {
    const finding = facts.findings.get(asker)?.get(at);
    return finding === undefined ? 0 : sum(finding);
  };
  const others = coHolders(facts).filter((asker) => asker !== at);
  const [, second = 0] = others.map(said).toSorted((a, b) => b - a);
  return Math.max(said(facts.by), second);
}

function added(a: Account, b: Account): Account {
  return {
    givenBytes: a.givenBytes + b.givenBytes,
    heldBytes: a.heldBytes + b.heldBytes,
    provenBytes: a.provenBytes + b.provenBytes,
    givenByteDays: a.givenByteDays + b.givenByteDays,
    heldByteDays: a.heldByteDays + b.heldByteDays,
    provenByteDays: a.provenByteDays + b.provenByteDays,
  };
}
