/**
 * The groups of an own data set whose shards need not stay here: their owner wants it so, and as many
 * other sites as are wanted keep a safe copy of all that the newest list names.
 */
import { risksOf } from "../../../core/backup/set-safety.ts";
import type { SetName } from "../../keep/ports.ts";
import type { Holder } from "../holder.ts";
import type { OwnRules } from "./own-rules.ts";
import type { OwnSets } from "./own-sets.ts";
import type { SafetyFacts } from "./safety-facts.ts";

export async function spareGroups(
  { clock }: Pick<Holder, "clock">,
  own: OwnSets,
  rules: OwnRules,
  facts: SafetyFacts,
  { owner, set: id }: SetName,
): Promise<ReadonlySet<number>> {
  const set = own.get(id);
  if (set?.owner !== owner || rules.of(id).local === "keep") return new Set();
  const nowMs = clock.wallMs();
  const groups = await facts.of(set);
  return new Set(
    groups.flatMap((holders, group) => {
      const safe = holders.filter((holder) => risksOf(holder, nowMs).length === 0);
      return safe.length >= set.copies ? [group] : [];
    }),
  );
}
