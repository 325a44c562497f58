/** The entries of a list that comes as what differs from another one. */
import { toHex } from "../../../../protocol/ids.ts";
import {
  LIST_ENTRY_BYTES,
  unpackEntries,
  type ListEntry,
} from "../../../../protocol/backup/list.ts";
import { REMOVED_ENTRY_BYTES } from "../../../../protocol/messages/shard-message.ts";

/**
 * @param raw - So many packed entries that are added or take the place of others, then the shards of
 *   those that go.
 * @throws ListError when the packed entries are none.
 */
export function entriesAfter(
  base: readonly ListEntry[],
  raw: Uint8Array,
  addedCount: number,
): ListEntry[] {
  const added = unpackEntries(raw.subarray(0, addedCount * LIST_ENTRY_BYTES));
  const gone = removedIn(raw.subarray(addedCount * LIST_ENTRY_BYTES));
  for (const { shard } of added) gone.add(shard);
  return [...base.filter(({ shard }) => !gone.has(shard)), ...added];
}

function removedIn(raw: Uint8Array): Set<string> {
  const removed = new Set<string>();
  for (let at = 0; at < raw.length; at += REMOVED_ENTRY_BYTES) {
    removed.add(toHex(raw.subarray(at, at + REMOVED_ENTRY_BYTES)));
  }
  return removed;
}
