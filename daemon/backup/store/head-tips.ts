/** Which heads are the newest, and who says so. */
import type { Head } from "../../../protocol/head.ts";
import type { SetId } from "../../../protocol/ids.ts";

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
 * Newest first, by the sites' own clocks: for display, a person picks.
 */
export function tipsOf<Witness>(claims: readonly HeadClaim<Witness>[]): HeadTip<Witness>[] {
  const tips = new Map<string, { set: SetId; head: Head; by: Set<Witness> }>();
  const highest = new Map<string, number>();
  for (const { set, head, by } of claims) {
    const chain = `${set}/${head.chain}`;
    highest.set(chain, Math.max(highest.get(chain) ?? 0, head.number));
    const key = `${chain}/${head.number}/${head.root}`;
    const tip = tips.get(key) ?? { set, head, by: new Set() };
    tip.by.add(by);
    tips.set(key, tip);
  }
  return [...tips.values()]
    .filter(({ set, head }) => highest.get(`${set}/${head.chain}`) === head.number)
    .toSorted((a, b) => b.head.atMs - a.head.atMs || b.by.size - a.by.size);
}
