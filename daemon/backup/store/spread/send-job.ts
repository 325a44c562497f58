/** What sending a list to one hop needs of this site: its shards, lists and receipts. */
import type { ListEntry } from "../../../../protocol/backup/list.ts";
import type { SiteId } from "../../../../protocol/ids.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import { groupName } from "../lists/group-name.ts";
import type { LoadedList } from "../lists/list-store.ts";
import type { SendJob } from "../lists/send-list.ts";
import type { Slots } from "../shards/slots.ts";

export interface HopVisit {
  readonly list: LoadedList;
  readonly hop: SiteId;
  /** To whom it is to pass the list on. */
  readonly chain: readonly SiteId[];
  readonly slots: Slots;
  readonly signal: AbortSignal;
  readonly onSent: (bytes: number) => void;
}

/** Of receipts only those are taken that the hop or its chain may have for the list. */
export function sendJobFor(holder: Holder, visit: HopVisit): SendJob {
  const { shards, lists, receipts, arrivals, log } = holder;
  const { list, hop, chain, slots, signal, onSent } = visit;
  const { owner, set } = list.header;
  const group = groupName(list.header);
  const ids = new Set<string>([list.id, ...list.entries.map(({ shard }) => shard)]);
  const check = async ({ shard }: ListEntry): Promise<void> => {
    if (!(await shards.discardDamaged({ owner, set, shard }))) return;
    log.error("a stored shard is damaged; another holder has to give it", { shard });
  };
  return {
    list,
    chain,
    signal,
    read: async (entry: ListEntry) => {
      try {
        const bytes = await shards.readUnverified({ owner, set, shard: entry.shard });
        if (bytes === undefined || bytes.length === entry.sizeBytes) return bytes;
      } catch (error) {
        if (!(error instanceof BackupError)) throw error;
      }
      await check(entry);
      return undefined;
    },
    watch: () => arrivals.watch(group),
    slots,
    base: async (id: string) => {
      const before = await lists.load(owner, set, list.header.group, "before");
      return before?.id === id ? before : undefined;
    },
    onReceipts: async (signed: Parameters<typeof receipts.add>[0]) => {
      await receipts.add(
        signed,
        ({ holder: site, id, set: of, mesh }) =>
          (site === hop || chain.includes(site)) &&
          ids.has(id) &&
          of === set &&
          mesh === list.header.mesh,
      );
    },
    onSent,
    onDamaged: check,
  };
}
