/** The same list under another number: what it names, its head and its terms stay. */
import { signList, type ListHeader } from "../../../../protocol/backup/list.ts";
import type { SigningKey } from "../../../../protocol/keys/signature.ts";
import { loadList, type LoadedList } from "./list-store.ts";

/** @param siteKey - Of the site that signs for the set now. */
export function signAnew(
  siteKey: SigningKey,
  { header, entries }: LoadedList,
  place: Pick<ListHeader, "generation" | "previous">,
): LoadedList {
  const { mesh, owner, set, group, groups, sealedName, keyEpoch, copies, head } = header;
  const fields = { mesh, owner, set, group, groups, sealedName, keyEpoch, copies, head, ...place };
  return loadList(signList(siteKey, fields, entries));
}
