/** What has to be true after a crash, and what has to be true once the work was completed. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { RunJournal } from "../../daemon/backup/client/run/run-journal.ts";
import { SnapshotShards } from "../../daemon/backup/client/verify/snapshot-shards.ts";
import { ShardReader } from "../../daemon/backup/client/shard-reader.ts";
import { setDetail, setStore, type SetDetail } from "../../daemon/cli/backup/backup-link.ts";
import { copiesShape } from "../../daemon/control/shapes-backup.ts";
import type { ShardId } from "../../protocol/ids.ts";
import type { TestSite } from "../test-site.ts";
import type { CrashMesh } from "./crash-mesh.ts";
import { namesIn } from "./stored-files.ts";

/** Each function returns what is wrong, in words; nothing when all is well. */
export type Violations = readonly string[];

/** Before anything is done about the crash: what was given a word for is there. */
export async function checkKept(mesh: CrashMesh): Promise<Violations> {
  const { keys, owner, acknowledged } = mesh;
  const last = acknowledged.at(-1);
  if (last === undefined) return [];
  const detail = await setDetail(owner.site.client, keys.set);
  if (detail === undefined || detail.head === null) return ["the owner's site has lost the set"];
  if (detail.head.number < last.number) {
    return [`snapshot ${last.number} was acknowledged, ${detail.head.number} is the newest`];
  }
  const lost = listed(detail).filter((shard) => !mesh.files.isWhole(owner.site, shard));
  return [
    ...lost.map((shard) => `the owner's site has lost ${shard}`),
    ...(await checkReceipts(mesh)),
    ...checkStoreIds(mesh),
  ];
}

/** Every shard for which the owner's site has a holder's word is with that holder. */
async function checkReceipts({ keys, owner, holders, files }: CrashMesh): Promise<Violations> {
  const path = `/v1/backup/sets/${keys.set}/copies?detail=1`;
  const { perShard = [] } = await owner.site.client.get(path, copiesShape);
  const bySite = new Map<string, TestSite>();
  for (const { site } of holders) bySite.set(await siteId(site), site);
  return perShard.flatMap(({ shard, kind, receipts }) => {
    if (kind !== "shard") return [];
    return receipts.flatMap(({ holder }) => {
      const site = bySite.get(holder);
      if (site === undefined || files.isWhole(site, shard)) return [];
      return [`${site.name} has signed for ${shard} and does not have it`];
    });
  });
}

const siteIds = new WeakMap<TestSite, string>();
async function siteId(site: TestSite): Promise<string> {
  const known = siteIds.get(site);
  if (known !== undefined) return known;
  const id = String((await site.pleach("status"))["siteId"]);
  siteIds.set(site, id);
  return id;
}

/** A store that takes another identity takes back what it signed for. */
const storeIds = new WeakMap<TestSite, string>();
function checkStoreIds({ sites }: CrashMesh): Violations {
  return sites.flatMap((site) => {
    const id = readFileSync(join(site.dataDirectory, "shards", "store-id"), "utf8");
    const before = storeIds.get(site) ?? id;
    storeIds.set(site, id);
    return id === before ? [] : [`${site.name} has another store id`];
  });
}

/** After the work was completed: everything is named by somebody, and all agree. */
export async function checkComplete(mesh: CrashMesh): Promise<Violations> {
  const { keys, owner, files, acknowledged } = mesh;
  const detail = await setDetail(owner.site.client, keys.set);
  if (detail === undefined || detail.head === null) return ["the owner's site has lost the set"];
  const all = listed(detail);
  const missing = mesh.sites.flatMap((site) => {
    const lost = all.filter((shard) => !files.isWhole(site, shard));
    return lost.map((shard) => `${site.name} does not have ${shard}`);
  });
  const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
  const source = setStore(owner.site.client, keys.set);
  const reader = new ShardReader(source, { ...keys, epochs }, detail.folder);
  const { root } = detail.head;
  const record = await reader.snapshot(root as ShardId);
  const named = new Set<string>(all);
  const shardsOf = new SnapshotShards(reader);
  const left = await shardsOf.left(record.history, new Set(all as ShardId[]));
  const snapshots = [{ root: root as ShardId }, ...left];
  const known = new Set<string>(snapshots.map((one) => one.root));
  const needed = new Set((await shardsOf.of(snapshots)).keys());
  return [
    ...missing,
    ...acknowledged
      .filter((one) => !known.has(one.root))
      .map((one) => `snapshot ${one.number} was acknowledged and is in no history`),
    ...[...needed].filter((shard) => !named.has(shard)).map((shard) => `no list names ${shard}`),
    ...[...named]
      .filter((shard) => !needed.has(shard as ShardId))
      .map((shard) => `${shard} is listed, and no snapshot needs it`),
    ...(await checkReceipts(mesh)),
    ...checkLeftovers(mesh),
  ];
}

/** Temporary files, journals and staging have no work that they belong to any more. */
function checkLeftovers({ sites, keys, owner }: CrashMesh): Violations {
  const cache = join(owner.site.keysDirectory, "cache", keys.set);
  const journal = new RunJournal(join(cache, "journal")).read().length;
  const unfinished = sites.flatMap((site) => {
    const shards = join(site.dataDirectory, "shards");
    const incoming = ["incoming", "partial"].flatMap((folder) => namesIn(join(shards, folder)));
    const temporary = readdirSync(site.directory, { recursive: true, withFileTypes: true })
      .filter(({ name }) => name.endsWith(".tmp") || name === ".pleach-restore")
      .map((entry) => relative(site.directory, join(entry.parentPath, entry.name)));
    return [...incoming, ...temporary].map((name) => `${site.name} still has ${name}`);
  });
  return [...unfinished, ...(journal === 0 ? [] : ["the journal of a finished run is there"])];
}

/** Files that no list names. After two looks, each long after lock and trash, there are none. */
export async function orphans({ sites, keys, owner, files }: CrashMesh): Promise<Violations> {
  const detail = await setDetail(owner.site.client, keys.set);
  const named = new Set(detail === undefined ? [] : listed(detail));
  return sites.flatMap((site) => {
    const left = [...files.names(site).difference(named)];
    return left.map((shard) => `${site.name} keeps ${shard}, which no list names`);
  });
}

function listed({ groups }: SetDetail): string[] {
  return groups.flatMap(({ entries }) => entries.map(([shard]) => shard));
}
