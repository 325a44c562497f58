/**
 * Fetches the shards of a list that are not here, from several sites at once.
 *
 * Each range of a shard is checked against its name before it is kept, so no copy is ever made of a
 * damaged one, and what was cut off goes on at another site. A site that does not give what it says to have is left aside; what nobody gives is left
 * for the next attempt.
 */
import type { ListEntry } from "../../../protocol/backup/list.ts";
import type { ShardId, SiteId } from "../../../protocol/ids.ts";
import { BackupError } from "../store/error.ts";
import { fetchIntoStore } from "../store/spread/fetch.ts";
import { missingOf, type Holder } from "../store/holder.ts";
import type { LoadedList } from "../store/lists/list-store.ts";
import type { Sources } from "./sources.ts";

/** Shards that are fetched at once from one site: one arrives while the next is asked for. */
const FETCHES_OF_SITE = 2;
/** A site that failed so often in a row is left aside. */
const MAX_FAILURES = 3;

/** Faults of the own disk, not of whoever gives. */
const OWN_FAULTS: ReadonlySet<string> = new Set(["E-BACKUP-SPACE", "E-BACKUP-DISK"]);

export interface FillPlan {
  readonly holder: Holder;
  readonly list: LoadedList;
  readonly sources: Sources;
  /** Ends it at once, whatever is waited for. */
  readonly signal: AbortSignal;
  /** A shard is durable here now. */
  readonly onStored: (sizeBytes: number) => void;
}

/**
 * @returns how many shards are still missing.
 * @throws BackupError when they cannot be kept: the disk is full or broken.
 */
export async function fillGroup(plan: FillPlan): Promise<number> {
  const { holder, list, sources } = plan;
  for (const sites of [sources.holders, sources.last]) {
    const missing = await missingOf(holder, list);
    if (missing.length === 0) return 0;
    const entries = missing.flatMap((at) => list.entries[at] ?? []);
    await fetchAll(plan, sites, entries);
  }
  return (await missingOf(holder, list)).length;
}

async function fetchAll(
  plan: FillPlan,
  sites: readonly SiteId[],
  entries: readonly ListEntry[],
): Promise<void> {
  const queue = [...entries];
  const refusedBy = new Map<ShardId, Set<SiteId>>();
  const failures = new Map<SiteId, number>();
  const failed: unknown[] = [];
  /** The next shard that the site was not asked for in vain. */
  const take = (site: SiteId): ListEntry | undefined => {
    const at = queue.findIndex(({ shard }) => refusedBy.get(shard)?.has(site) !== true);
    return at === -1 ? undefined : queue.splice(at, 1)[0];
  };
  const work = async (site: SiteId): Promise<void> => {
    while (
      !plan.signal.aborted &&
      failed.length === 0 &&
      (failures.get(site) ?? 0) < MAX_FAILURES
    ) {
      const entry = take(site);
      if (entry === undefined) return;
      const outcome = await fetchFrom(plan, site, entry);
      if (outcome === undefined) {
        failures.set(site, (failures.get(site) ?? 0) + 1);
        refusedBy.set(entry.shard, (refusedBy.get(entry.shard) ?? new Set()).add(site));
        queue.push(entry);
        continue;
      }
      failures.set(site, 0);
      if (outcome === "stored") plan.onStored(entry.sizeBytes);
    }
  };
  const workers = sites.flatMap((site) => Array.from({ length: FETCHES_OF_SITE }, () => site));
  const kept = (error: unknown): void => void failed.push(error);
  await Promise.all(workers.map((site) => work(site).catch(kept)));
  if (failed.length > 0) throw failed[0];
}

/**
 * Undefined when the site does not give that shard.
 *
 * @throws BackupError when it cannot be kept.
 */
async function fetchFrom(
  { holder, list, signal }: FillPlan,
  site: SiteId,
  { shard, sizeBytes }: ListEntry,
): Promise<"stored" | "there" | undefined> {
  const { owner, set } = list.header;
  try {
    return await fetchIntoStore(holder, site, { owner, set, shard }, sizeBytes, signal);
  } catch (error) {
    const isOurs = error instanceof BackupError && OWN_FAULTS.has(error.code);
    if (isOurs) throw error;
    const why = error instanceof BackupError ? error.code : String(error);
    holder.log.info("a holder did not give a shard", { site, shard, why });
    return undefined;
  }
}
