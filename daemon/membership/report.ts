/** Who is who, and how far a `join` is, in the words of the control socket. */
import { toHex, type SiteId } from "../../protocol/ids.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { JoinStatus } from "./joining.ts";

/** @param addressesOf - Of a member, with `/p2p/…`. */
export function reportMesh(authority: Authority, addressesOf: (site: SiteId) => readonly string[]) {
  const { meshId, meshName, delegations } = authority;
  return {
    meshId: meshId ?? null,
    meshName: meshId === undefined ? null : meshName,
    operators: [...authority.operators].map(([key, { name }]) => ({ key, name })),
    sites: [...authority.sites.values()].map(({ siteId, name, org, place, replaces }) => ({
      siteId,
      name,
      org,
      place,
      addresses: [...addressesOf(siteId)],
      owners: delegations
        .filter(({ site, set }) => site === siteId && set === null)
        .map(({ owner }) => owner),
      replaces: replaces ?? null,
    })),
    owners: [...authority.owners.values()].map((owner) => ({
      ownerId: owner.ownerId,
      name: owner.name,
      org: owner.org,
      country: owner.country,
      sign: owner.sign,
      box: toHex(owner.box),
    })),
  };
}

export function reportJoining({ state, words, problem }: JoinStatus) {
  return {
    state,
    words: words ?? null,
    problem:
      problem === undefined
        ? null
        : { code: problem.code, message: problem.message, hint: problem.hint ?? null },
  };
}
