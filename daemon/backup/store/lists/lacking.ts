/** What is still missing until every site of a chain has signed for all of a list. */
import { hasLetGo } from "../../../core/backup/let-go.ts";
import type { View } from "../../../core/logs/view.ts";
import type { ListId, ShardId, SiteId, StoreId } from "../../../../protocol/ids.ts";
import { offerRecord, type OfferRecord } from "../../../../protocol/logs/record.ts";
import type { LoadedList } from "./list-store.ts";
import type { ReceiptStore } from "../spread/receipt-store.ts";

/** What a site lends, as it says itself. Undefined when it says nothing usable. */
export function offerOf(view: View, site: SiteId): OfferRecord | undefined {
  const offer = offerRecord.safeParse(view.get("offer", "offer", site)?.value);
  return offer.success ? offer.data : undefined;
}

/**
 * For each site, the shards (and the list itself) for which its receipt is missing. A receipt
 * from another store than the one the site has now does not count: that store is gone. Nor does one
 * for a group that the site has let go since.
 */
export async function lackingOf(
  receipts: ReceiptStore,
  view: View,
  list: LoadedList,
  sites: readonly SiteId[],
): Promise<Map<SiteId, Set<ShardId | ListId>>> {
  const lacking = new Map<SiteId, Set<ShardId | ListId>>();
  for (const site of sites) {
    const ids = [list.id, ...list.entries.map(({ shard }) => shard)];
    if (hasLetGo(view, site, list.header)) {
      lacking.set(site, new Set(ids));
      continue;
    }
    const store: StoreId | undefined = offerOf(view, site)?.storeId;
    const found = await receipts.forPieces(list.header.set, site, ids);
    const open = ids.filter((_id, at) => {
      const receipt = found[at]?.receipt;
      return receipt === undefined || (store !== undefined && receipt.store !== store);
    });
    lacking.set(site, new Set(open));
  }
  return lacking;
}
