/** What the configuration lends, with the owners that it names as the mesh knows them now. */
import { parseId, type OwnerId } from "../../protocol/ids.ts";
import type { GiveConfig } from "../config/config.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { Lending, OwnerTerms } from "../core/backup/lending.ts";

/** An owner whom no member knows yet gets its terms when it appears. */
export function lendingOf(
  { spaceBytes, to, capBytes, dailyBytes, owners }: GiveConfig,
  authority: Pick<Authority, "owners">,
): Lending {
  const known = (text: string): OwnerId[] => ownersNamed(text, authority);
  return {
    ...{ spaceBytes, capBytes, dailyBytes },
    to: to === "all" ? to : [...new Set(to.flatMap(known))],
    owners: owners.flatMap(({ name, ...terms }): OwnerTerms[] =>
      known(name).map((owner) => ({ owner, ...terms })),
    ),
  };
}

/** Names are unique in a mesh, identifiers everywhere. */
function ownersNamed(text: string, { owners }: Pick<Authority, "owners">): OwnerId[] {
  const id = parseId<OwnerId>(text);
  if (id !== undefined) return [id];
  return [...owners.values()].flatMap(({ ownerId, name }) => (name === text ? ownerId : []));
}
