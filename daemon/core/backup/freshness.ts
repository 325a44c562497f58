/**
 * Whether a snapshot that members tell of may be called the newest, or only the newest known here.
 *
 * Two of three holders may have been set back to older copies, and know no better. So more of them
 * than that have to agree, or everybody else there is. Nobody may know of a newer one; that is for
 * the caller, who asked.
 */
const ENOUGH = 3;

/** How many members have to confirm. @param members - Other members that there are. */
export function confirmationsNeeded(members: number): number {
  return Math.max(1, Math.min(members, ENOUGH));
}

/** Such as "confirmed by 3 of 5 members", or "UNCONFIRMED (…)" with the reason. */
export function freshnessText(confirmedBy: number, answered: number, members: number): string {
  if (answered === 0) return "UNCONFIRMED (no other member could be asked)";
  const said = `confirmed by ${confirmedBy} of ${members} members`;
  const needed = confirmationsNeeded(members);
  return confirmedBy >= needed ? said : `UNCONFIRMED (${said}, ${needed} are needed)`;
}
