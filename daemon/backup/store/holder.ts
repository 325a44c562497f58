/** What the parts of a holder share. */
import type { Clock } from "../../core/clock.ts";
import type { Lending } from "../../core/backup/lending.ts";
import type { Transport } from "../../core/transport.ts";
import type { Logger } from "../../observe/log.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import type { SetId } from "../../../protocol/ids.ts";
import type { ListEntry } from "../../../protocol/backup/list.ts";
import { listSizeBytes } from "../../../protocol/backup/list.ts";
import { signReceipt, type SignedReceipt } from "../../../protocol/backup/receipt.ts";
import type { IntakeBook } from "../keep/intake-book.ts";
import type { SetGate } from "../keep/ports.ts";
import type { Arrivals } from "./shards/arrivals.ts";
import { BackupError } from "./error.ts";
import type { ListStore, LoadedList } from "./lists/list-store.ts";
import type { BackupState } from "./ports.ts";
import type { Quota } from "./shards/quota.ts";
import type { ReceiptStore } from "./spread/receipt-store.ts";
import type { ShardStore } from "./shards/shard-store.ts";
import type { WaitingOwners } from "./spread/waiting-owners.ts";

export interface Holder {
  readonly siteKey: SigningKey;
  readonly state: BackupState;
  readonly transport: Transport;
  readonly shards: ShardStore;
  readonly lists: ListStore;
  readonly receipts: ReceiptStore;
  readonly quota: Quota;
  readonly arrivals: Arrivals;
  readonly intake: IntakeBook;
  readonly waiting: WaitingOwners;
  /** What is lent now. */
  readonly lending: () => Lending;
  /** Whether the shards of an own set stay here when others have signed for them. */
  readonly keepsLocal: (set: SetId) => boolean;
  /** Whoever signs for what is here, and whoever deletes, take turns. */
  readonly gates: SetGate;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How many files are looked at at once. */
const PARALLEL_LOOKS = 32;

/** The indexes of the entries whose shards are not here. The others are durable. */
export async function missingOf(holder: Holder, list: LoadedList): Promise<number[]> {
  const { owner, set } = list.header;
  await holder.shards.settleNames(owner, set);
  const missing: number[] = [];
  for (let start = 0; start < list.entries.length; start += PARALLEL_LOOKS) {
    const part = list.entries.slice(start, start + PARALLEL_LOOKS);
    const sizes = await Promise.all(
      part.map(({ shard }) => holder.shards.sizeOf({ owner, set, shard })),
    );
    for (const [offset, entry] of part.entries()) {
      if (sizes[offset] !== entry.sizeBytes) missing.push(start + offset);
    }
  }
  return missing;
}

/** This site's word for a shard that is durable here. */
export function receiptFor(holder: Holder, list: LoadedList, entry: ListEntry): SignedReceipt {
  return signReceipt(holder.siteKey, {
    ...common(holder, list),
    kind: "shard",
    id: entry.shard,
    sizeBytes: entry.sizeBytes,
  });
}

/** This site's word for a list that is durable here. */
export function receiptForList(holder: Holder, list: LoadedList): SignedReceipt {
  return signReceipt(holder.siteKey, {
    ...common(holder, list),
    kind: "list",
    id: list.id,
    sizeBytes: listSizeBytes(list.signed),
  });
}

function common(holder: Holder, { header }: LoadedList) {
  const { owner, set, mesh, by } = header;
  const delegation = holder.state.authority().delegationFor(owner, set, by);
  if (delegation === undefined) {
    throw new BackupError("E-BACKUP-RIGHT", "The site may no longer write the data set.");
  }
  return { mesh, store: holder.shards.storeId, owner, set, lockDays: delegation.lockDays };
}
