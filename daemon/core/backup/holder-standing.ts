/**
 * Who counts as a holder of a group, and how many are missing: effective targets.
 *
 * They are the published targets and the sites that holders had take in a copy, less those that
 * are gone: no members any more, or lost or silent by the word of the owner's site or of two who
 * ask. Where fewer than two of those who could ask are there at all, the word of one is enough:
 * a group whose last holder nobody is left to back must still be copied. A false word makes one
 * copy too many, and takes none away.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import { hasGroup, type AuditFinding } from "../../../protocol/logs/hold-record.ts";
import type { GroupFacts } from "./group-facts.ts";
import { rendezvousOrder } from "./repair-duty.ts";

export type Standing = "holds" | "ended" | "lost" | "silent";
/** Why a site does not count; `empty`: it never got the group, and its owner cannot send it. */
export type Gone = Exclude<Standing, "holds"> | "empty";

/** So many askers besides the owner's site make a word count. */
const WORDS_NEEDED = 2;

/**
 * Where a holder of the group stands.
 *
 * @param absent - Sites that this node itself does not hear: they cannot back anybody's word.
 */
export function standingOf(facts: GroupFacts, site: SiteId, absent: ReadonlySet<SiteId>): Standing {
  if (!facts.members.has(site)) return "ended";
  // Who was named and has nothing yet has nothing to say, either.
  const taken = facts.repairs.map(({ to }) => to).filter((to) => facts.holding.has(to));
  const holders = new Set([...facts.targets, ...taken]);
  const isProven = (says: (finding: AuditFinding) => boolean): boolean => {
    const said = (asker: SiteId): boolean => {
      const finding = facts.findings.get(asker)?.get(site);
      return finding !== undefined && says(finding);
    };
    const { by, members } = facts;
    const askers = [by, ...holders].filter((asker) => asker !== site && members.has(asker));
    const isOwnerThere = members.has(by) && !absent.has(by);
    if (isOwnerThere && said(by)) return true;
    const there = askers.filter((asker) => !absent.has(asker));
    const needed = Math.max(1, Math.min(WORDS_NEEDED, there.length));
    return askers.filter(said).length >= needed;
  };
  if (isProven(({ lostShards, lostGroups }) => lostShards > 0 && hasGroup(lostGroups, facts.group)))
    return "lost";
  if (isProven(({ silent }) => silent)) return "silent";
  return "holds";
}

export interface EffectiveTargets {
  /** Published targets in their order, then the sites that repairs have named. */
  readonly live: readonly SiteId[];
  readonly gone: ReadonlyMap<SiteId, Gone>;
  /** Copies that no live site is there for. */
  readonly missing: number;
}

/** The holders that count. A repair counts when a site that holds the group has asked for it. */
export function effectiveTargets(facts: GroupFacts, absent: ReadonlySet<SiteId>): EffectiveTargets {
  const gone = new Map<SiteId, Gone>();
  const isOrphan = !facts.members.has(facts.by) || absent.has(facts.by);
  const live: SiteId[] = [];
  const take = (site: SiteId): void => {
    if (live.includes(site) || gone.has(site) || site === facts.by) return;
    const standing = standingOf(facts, site, absent);
    if (standing === "holds") live.push(site);
    else gone.set(site, standing);
  };
  for (const site of facts.targets) {
    if (isOrphan && !facts.holding.has(site)) gone.set(site, "empty");
    else take(site);
  }
  for (const site of newcomers(facts)) {
    // One that was asked and has nothing yet only counts while it is needed.
    if (facts.holding.has(site) || live.length < facts.copies) take(site);
  }
  return { live, gone, missing: Math.max(0, facts.copies - live.length) };
}

/** Sites that lost what they held of the group or are silent, also when they are no targets any more. */
export function goneSites(facts: GroupFacts, absent: ReadonlySet<SiteId>): ReadonlySet<SiteId> {
  const told = [...facts.findings.values()].flatMap((about) => [...about.keys()]);
  return new Set(told.filter((site) => standingOf(facts, site, absent) !== "holds"));
}

/** All who hold or are to hold the group: whom to ask, and who may ask and fetch. */
export function coHolders(facts: GroupFacts): readonly SiteId[] {
  const all = new Set([...facts.targets, ...newcomers(facts)]);
  all.delete(facts.by);
  return [...all].filter((site) => facts.members.has(site));
}

/**
 * Sites named by repairs, those that hold the group first. A newcomer that holds it may in turn
 * name the next one; so a group outlives all of its first holders.
 */
function newcomers({ owner, set, group, targets, repairs, holding }: GroupFacts): SiteId[] {
  if (repairs.length === 0) return [];
  const entitled = new Set(targets);
  const named: SiteId[] = [];
  for (let before = -1; before < named.length;) {
    before = named.length;
    for (const author of rendezvousOrder({ owner, set, group }, entitled)) {
      for (const { author: from, to } of repairs) {
        if (from !== author || named.includes(to) || targets.includes(to)) continue;
        named.push(to);
        if (holding.has(to)) entitled.add(to);
      }
    }
  }
  const held = named.filter((site) => holding.has(site));
  return [...held, ...named.filter((site) => !holding.has(site))];
}
