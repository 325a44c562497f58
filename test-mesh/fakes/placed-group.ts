/** One placement group in a view: who holds it, and what its holders say about one another. */
import type { GroupName } from "../../daemon/core/backup/group-facts.ts";
import {
  auditKey,
  groupKey,
  packGroups,
  type AuditFinding,
} from "../../protocol/logs/hold-record.ts";
import { idOf, sha256, type ListId, type OwnerId, type SetId } from "../../protocol/ids.ts";
import type { SiteId, StoreId } from "../../protocol/ids.ts";
import { holdRecords, placeRecords } from "../../protocol/logs/record-pages.ts";
import { NO_RULES } from "../../protocol/logs/record.ts";
import { RecordView } from "./record-view.ts";

export const STORE = idOf<StoreId>(sha256("store").subarray(0, 16));
const LIST = idOf<ListId>(sha256("list"));

export function siteOf(name: string): SiteId {
  return idOf<SiteId>(sha256(`site ${name}`));
}

export class PlacedGroup {
  readonly view = new RecordView();
  readonly bytes = 1000;
  readonly name: GroupName;

  constructor(targets: readonly SiteId[], copies = 3) {
    this.name = {
      owner: idOf<OwnerId>(sha256("owner")),
      set: idOf<SetId>(sha256("set").subarray(0, 16)),
      group: 0,
      by: siteOf("home"),
    };
    const { owner, set, by } = this.name;
    const group = { generation: 1, list: LIST, shards: 1, bytes: this.bytes };
    const groups = [{ targets, ...group }];
    const place = { owner, name: "", keyEpoch: 0, copies, head: null, rules: NO_RULES };
    for (const { key, value } of placeRecords(set, { ...place, groupCount: 1, groups })) {
      this.view.put(by, "place", key, value);
    }
    for (const site of targets) this.holds(site);
  }

  /** The site says that it has the group in full. */
  holds(site: SiteId): void {
    const { owner, set } = this.name;
    const groups = [{ group: 0, generation: 1, list: LIST }];
    for (const { key, value } of holdRecords(owner, set, { storeId: STORE, groups, letGo: [] })) {
      this.view.put(site, "hold", key, value);
    }
  }

  says(asker: SiteId, about: SiteId, what: Partial<AuditFinding>): void {
    const { owner, set } = this.name;
    const { site: _about, ...told } = what;
    this.view.put(asker, "hold", auditKey(owner, set, about), { ...PROVEN, ...told });
  }

  saysLost(asker: SiteId, about: SiteId): void {
    const lost = { outcome: "failed", lostShards: 1, lostGroups: packGroups([0]) } as const;
    this.says(asker, about, lost);
  }

  repairs(author: SiteId, ...to: readonly SiteId[]): void {
    const { owner, set, group, by } = this.name;
    const value = { by, to: [...to], generation: 1, list: LIST };
    this.view.put(author, "hold", groupKey("repair", owner, set, group), value);
  }
}

const PROVEN: Omit<AuditFinding, "site"> = {
  ...{ storeId: STORE, outcome: "proven", atMs: 1, provenAtMs: 1, leaves: 70, wholes: 1 },
  ...{ lostShards: 0, lostGroups: packGroups([]), silent: false, given: 0, held: 0, proven: 0 },
};
