/** What owners use here, and the account with each other site, as both sides see it; reckoned in daemon/core/backup/pair-accounts.ts. */
import { termsFor } from "../../../core/backup/lending.ts";
import { accountOf, isNothing } from "../../../core/backup/pair-accounts.ts";
import type { Holder } from "../holder.ts";

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

/** What each owner that has sent anything uses of what is lent, and why more of it waits. */
export function lentToOwners({ state, intake, quota, waiting, lending }: Holder) {
  const { owners } = state.authority();
  return intake.report().map(({ owner, todayBytes, isFirst }) => {
    const terms = termsFor(lending(), owner);
    return {
      owner: owner as string,
      name: owners.get(owner)?.name ?? owner.slice(0, 8),
      usedBytes: quota.usedBy(owner),
      capBytes: terms?.capBytes ?? null,
      dailyBytes: terms?.dailyBytes ?? 0,
      todayBytes: terms === undefined ? 0 : Math.min(todayBytes, terms.dailyBytes),
      isFirst,
      waitingFor: waiting.of(owner) ?? null,
    };
  });
}
