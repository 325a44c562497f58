/** How many sites have signed for each shard and list of an own data set. */
import type { ListId, ShardId, SiteId } from "../../../../protocol/ids.ts";
import { isLetGo, letGoOf, type Part } from "../../../core/backup/let-go.ts";
import { groupOf, listSizeBytes } from "../../../../protocol/backup/list.ts";
import type { SignedReceipt } from "../../../../protocol/backup/receipt.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import { offerOf } from "../lists/lacking.ts";
import type { OwnSet } from "../own/own-sets.ts";

export interface Piece {
  readonly id: ShardId | ListId;
  readonly sizeBytes: number;
  readonly kind: "shard" | "list";
  readonly group: number;
  /** By holder: distinct members of the mesh, this site not counted. */
  readonly receipts: Map<SiteId, SignedReceipt>;
}

/** Every piece that has to be kept, with the receipts that count now: all of a set in memory. */
export async function piecesOf(holder: Holder, set: OwnSet): Promise<Map<string, Piece>> {
  const pieces = new Map<string, Piece>();
  for (const group of set.targets.keys()) {
    const list = await holder.lists.load(set.owner, set.set, group);
    if (list === undefined) throw new BackupError("E-BACKUP-DISK", "A list is lost or damaged.");
    const sizeBytes = listSizeBytes(list.signed);
    pieces.set(list.id, { id: list.id, sizeBytes, kind: "list", group, receipts: new Map() });
    for (const { shard, sizeBytes: size } of list.entries) {
      pieces.set(shard, { id: shard, sizeBytes: size, kind: "shard", group, receipts: new Map() });
    }
  }
  const view = holder.state.view();
  const { sites } = holder.state.authority();
  const gone = new Map<SiteId, readonly Part[]>();
  for await (const { receipt, signed } of holder.receipts.of(set.set)) {
    const { holder: site, id, store, sizeBytes } = receipt;
    if (site === holder.transport.self || !sites.has(site)) continue;
    const offer = offerOf(view, site);
    if (offer !== undefined && offer.storeId !== store) continue;
    const piece = pieces.get(id);
    if (piece?.sizeBytes !== sizeBytes) continue;
    const letGo = gone.get(site) ?? letGoOf(view, site, set.owner, set.set);
    gone.set(site, letGo);
    if (isLetGo(letGo, { group: piece.group, groups: set.targets.length })) continue;
    piece.receipts.set(site, signed);
  }
  return pieces;
}

/** What other members have signed for one shard of a set, as it counts now. */
export async function receiptsFor(
  holder: Holder,
  { set }: OwnSet,
  shard: ShardId,
): Promise<SignedReceipt[]> {
  const view = holder.state.view();
  const receipts: SignedReceipt[] = [];
  for (const site of holder.state.authority().sites.keys()) {
    if (site === holder.transport.self) continue;
    const store = offerOf(view, site)?.storeId;
    const [found] = await holder.receipts.forPieces(set, site, [shard]);
    if (found === undefined) continue;
    if (store === undefined || found.receipt.store === store) receipts.push(found.signed);
  }
  return receipts;
}

/** Those shards of a set for which no other member has signed. */
export async function unsigned(
  holder: Holder,
  { owner, set, targets }: OwnSet,
  shards: readonly ShardId[],
): Promise<ShardId[]> {
  const view = holder.state.view();
  let open = [...shards];
  for (const site of holder.state.authority().sites.keys()) {
    if (open.length === 0) break;
    if (site === holder.transport.self) continue;
    const store = offerOf(view, site)?.storeId;
    const letGo = letGoOf(view, site, owner, set);
    const found = await holder.receipts.forPieces(set, site, open);
    open = open.filter((shard, at) => {
      const receipt = found[at]?.receipt;
      if (isLetGo(letGo, { group: groupOf(shard, targets.length), groups: targets.length })) {
        return true;
      }
      return receipt === undefined || (store !== undefined && receipt.store !== store);
    });
  }
  return open;
}
