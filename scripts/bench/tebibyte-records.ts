/**
 * The records of a data set as its site, three holders and their audits publish them, written
 * through the real state of each of these sites.
 */
import type { LoadedList } from "../../daemon/backup/store/lists/list-store.ts";
import { FactsReader } from "../../daemon/core/backup/group-facts.ts";
import type { RecordChange } from "../../daemon/state/record-change.ts";
import type { State } from "../../daemon/state/state.ts";
import { encodeJson } from "../../protocol/encoding/json-value.ts";
import { idOf, sha256, type SiteId, type StoreId } from "../../protocol/ids.ts";
import { auditKey } from "../../protocol/logs/hold-record.ts";
import { holdRecords, placeRecords } from "../../protocol/logs/record-pages.ts";
import { NO_RULES } from "../../protocol/logs/record.ts";
import { Founding } from "../../test-mesh/fakes/founding.ts";
import { bring, entriesOf, startMember } from "../../test-mesh/fakes/state-node.ts";
import { OWNER, SET } from "./tebibyte-set.ts";

const HOME = "home";
const HOLDERS = ["a", "b", "c"];

export interface RecordFigures {
  /** Records of class `place`, and the largest of their values. */
  readonly placeRecords: number;
  readonly largestPlaceBytes: number;
  /** The same of class `hold`, of one holder. */
  readonly holdRecords: number;
  readonly largestHoldBytes: number;
  /** What each member gets once the first run is placed, held and proven: entries with signatures. */
  readonly firstBytes: number;
  /** The same of a day with one run, and one round of audits of each holder by each asker. */
  readonly dayBytes: number;
}

/** The state of the set's site, after two runs, with what the holders and askers said. */
export async function publishSet(
  before: readonly LoadedList[],
  after: readonly LoadedList[],
): Promise<{
  readonly state: State;
  readonly founding: Founding;
  readonly figures: RecordFigures;
}> {
  const founding = new Founding("tebibyte");
  for (const name of [HOME, ...HOLDERS]) founding.enrol(name);
  const home = await startMember(HOME, founding.statements);
  const holders = await Promise.all(HOLDERS.map((name) => startMember(name, founding.statements)));
  const sites = holders.map(({ siteId }) => siteId);
  const publish = async (lists: readonly LoadedList[], day: number): Promise<void> => {
    await home.write(placeChanges(lists, sites));
    for (const holder of holders) await holder.write(holdChanges(lists, holder.siteId));
    for (const asker of [home, ...holders])
      await asker.write(auditChanges(asker.siteId, sites, day));
    for (const holder of holders) await bring(holder, home);
  };
  await publish(before, 1);
  const firstBytes = await bytesOf(home);
  await publish(after, 2);
  const view = home.view();
  const facts = new FactsReader(view, new Set(home.authority().sites.keys()));
  const known = facts.set({ owner: OWNER, set: SET, by: home.siteId });
  if (known.some(({ holding }) => holding.size < HOLDERS.length) || known.length < after.length) {
    throw new Error("not all groups are published");
  }
  const places = placeChanges(after, sites);
  const holds = holdChanges(after, idOf<SiteId>(sha256("any")));
  const figures: RecordFigures = {
    placeRecords: places.length,
    largestPlaceBytes: largest(places),
    holdRecords: holds.length,
    largestHoldBytes: largest(holds),
    firstBytes,
    dayBytes: (await bytesOf(home)) - firstBytes,
  };
  return { state: home, founding, figures };
}

async function bytesOf(state: State): Promise<number> {
  const entries = await entriesOf(state);
  return entries.reduce((sum, { length }) => sum + length, 0);
}

function largest(changes: readonly RecordChange[]): number {
  return Math.max(...changes.map(({ value = null }) => encodeJson(value).length));
}

function placeChanges(lists: readonly LoadedList[], targets: readonly SiteId[]): RecordChange[] {
  const groups = lists.map(({ id, header: { generation, shards, bytes } }) => {
    return { targets, generation, list: id, shards, bytes };
  });
  const name = Buffer.alloc(64, 1).toString("base64");
  const plain = { owner: OWNER, name, keyEpoch: 1, copies: 3, head: null, rules: NO_RULES };
  return placeRecords(SET, { ...plain, groupCount: groups.length, groups }).map((record) => {
    return { class: "place", ...record };
  });
}

function holdChanges(lists: readonly LoadedList[], site: SiteId): RecordChange[] {
  const groups = lists.map(({ id, header: { group, generation } }) => {
    return { group, generation, list: id };
  });
  return holdRecords(OWNER, SET, { storeId: storeOf(site), groups, letGo: [] }).map((record) => {
    return { class: "hold", ...record };
  });
}

function auditChanges(asker: SiteId, sites: readonly SiteId[], day: number): RecordChange[] {
  return sites
    .filter((site) => site !== asker)
    .map((site) => {
      const value = {
        ...{ storeId: storeOf(site), outcome: "proven", atMs: 1.8e12 + day, silent: false },
        ...{ provenAtMs: 1.8e12 + day, leaves: 70 * day, wholes: 8738 * day, lostShards: 0 },
        ...{ lostGroups: "", given: day * 2 ** 40, held: day * 2 ** 40, proven: day * 2 ** 40 },
      };
      return { class: "hold", key: auditKey(OWNER, SET, site), value };
    });
}

function storeOf(site: SiteId): StoreId {
  return idOf<StoreId>(sha256("store", site).subarray(0, 16));
}
