/** The account with each other site, as both sides see it; reckoned in daemon/core/pair-accounts.ts. */
import { accountOf, isNothing } from "../../core/pair-accounts.ts";
import type { Holder } from "./holder.ts";

/** Those with whom anything was ever exchanged, by name. */
export function pairAccounts({ state, transport }: Holder) {
  const { sites } = state.authority();
  const members = new Set(sites.keys());
  const view = state.view();
  const { self } = transport;
  return [...sites.values()]
    .filter(({ siteId }) => siteId !== self)
    .map(({ siteId, name }) => ({
      site: siteId as string,
      name,
      keepsForUs: accountOf(view, members, self, siteId),
      weKeep: accountOf(view, members, siteId, self),
    }))
    .filter(({ keepsForUs, weKeep }) => !isNothing(keepsForUs) || !isNothing(weKeep))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
