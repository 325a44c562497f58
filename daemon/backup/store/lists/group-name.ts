/** Names a placement group among those of all owners: a key of maps and of the store. */
import type { OwnerId, SetId } from "../../../../protocol/ids.ts";

export function groupName(of: {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly group: number;
}): string {
  return `${of.owner}/${of.set}/${String(of.group).padStart(3, "0")}`;
}
