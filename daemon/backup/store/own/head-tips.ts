/** Which heads are the newest, and who says so. */
import type { Head } from "../../../../protocol/backup/head.ts";
import type { SetId, ShardId } from "../../../../protocol/ids.ts";

export interface HeadClaim<Witness> {
  readonly set: SetId;
  readonly head: Head;
  readonly by: Witness;
}

export interface HeadTip<Witness> {
  readonly set: SetId;
  readonly head: Head;
  readonly by: ReadonlySet<Witness>;
}

/**
 * The tip of every chain of every set; two heads that dispute one place of a chain are both tips.
 * Then the older heads that can be had: where the newest snapshot did not get as far as the
 * holders, the one before it may be the one to take.
 *
 * Newest first, by the sites' own clocks: for display, a person picks.
 *
 * @param available - Roots of the heads that can be had.
 */
export function headsOf<Witness>(
  claims: readonly HeadClaim<Witness>[],
  available: ReadonlySet<ShardId>,
): HeadTip<Witness>[] {
  const heads = new Map<string, { set: SetId; head: Head; by: Set<Witness> }>();
  const highest = new Map<string, number>();
  for (const { set, head, by } of claims) {
    const chain = `${set}/${head.chain}`;
    highest.set(chain, Math.max(highest.get(chain) ?? 0, head.number));
    const key = `${chain}/${head.number}/${head.root}`;
    const known = heads.get(key) ?? { set, head, by: new Set() };
    known.by.add(by);
    heads.set(key, known);
  }
  const isTip = ({ set, head }: { set: SetId; head: Head }): boolean =>
    highest.get(`${set}/${head.chain}`) === head.number;
  return [...heads.values()]
    .filter((each) => isTip(each) || available.has(each.head.root))
    .toSorted((a, b) => Number(isTip(b)) - Number(isTip(a)) || compareAge(a, b));
}

function compareAge<Witness>(a: HeadTip<Witness>, b: HeadTip<Witness>): number {
  return b.head.atMs - a.head.atMs || b.by.size - a.by.size;
}
