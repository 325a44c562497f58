/** Writes what was found about the holders of a set into this site's `hold` log. */
import { lossOf, outcomeOf } from "../../core/backup/audit-progress.ts";
import {
  auditKey,
  auditPrefix,
  packGroups,
  type AuditFinding,
} from "../../../protocol/logs/hold-record.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { sameJson, type JsonValue } from "../../../protocol/encoding/json-value.ts";
import type { Holder } from "../store/holder.ts";
import type { AskedSet, Claim } from "./audit-set.ts";
import type { Pair } from "./pairs.ts";

/** What is told about one holder; undefined before anything was found. */
export function findingOf(
  pair: Pair,
  claim: Claim,
  silent: ReadonlySet<SiteId>,
): AuditFinding | undefined {
  const { progress, byteDays } = pair.state;
  const outcome = outcomeOf(progress);
  const isSilent = silent.has(pair.site);
  if (outcome === "proven" && progress.provenAtMs === null && !isSilent) return undefined;
  const owed = claim.groups.length > 0 ? claim.groups : claim.placed;
  const loss = lossOf(progress, owed);
  const { storeId, atMs, provenAtMs, leaves, wholes } = progress;
  return {
    ...{ site: pair.site, storeId, leaves, wholes },
    // A site that cannot be reached is offline, also while nothing is asked of it.
    outcome: isSilent && outcome !== "failed" ? "offline" : outcome,
    atMs: Math.floor(atMs),
    provenAtMs: provenAtMs === null ? null : Math.floor(provenAtMs),
    lostShards: loss.shards,
    lostGroups: packGroups(loss.groups),
    silent: isSilent,
    given: Math.floor(byteDays.given),
    held: Math.floor(byteDays.held),
    proven: Math.floor(byteDays.proven),
  };
}

/** Writes the findings about a set when they are not what the view shows. */
export async function publishFindings(
  { state, transport }: Holder,
  { owner, set }: AskedSet,
  findings: readonly AuditFinding[],
): Promise<void> {
  if (!state.authority().sites.has(transport.self)) return;
  const shown = state
    .view()
    .entries("hold", auditPrefix(owner, set))
    .filter(({ author }) => author === transport.self);
  const before = new Map(shown.map(({ key, value }) => [key, value]));
  const now = new Map<string, JsonValue>();
  for (const { site, ...found } of findings) now.set(auditKey(owner, set, site), { ...found });
  const changed = [...now].filter(([key, value]) => {
    const told = before.get(key);
    return told === undefined || !sameJson(told, value);
  });
  const gone = [...before.keys()].filter((key) => !now.has(key));
  if (changed.length + gone.length === 0) return;
  await state.write([
    ...changed.map(([key, value]) => ({ class: "hold" as const, key, value })),
    ...gone.map((key) => ({ class: "hold" as const, key, value: undefined })),
  ]);
}
