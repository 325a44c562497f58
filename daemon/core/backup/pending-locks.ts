/** Shorter retention locks that are pending anywhere: what every node shows of them. */
import type { OwnerId, SetId, SiteId, StatementId } from "../../../protocol/ids.ts";
import { LOCK_KEYS, lockRecord } from "../../../protocol/logs/hold-record.ts";
import { parseHoldKey } from "../../../protocol/logs/record.ts";
import type { Authority } from "../authority/authority.ts";
import type { View } from "../logs/view.ts";
import { objectionsTo } from "./objectors.ts";

/** More that are pending at one site are not looked at: it may be hacked. */
const MOST_OF_A_SITE = 256;

export interface PendingLock {
  readonly owner: OwnerId;
  readonly set: SetId;
  /** The holder that tells of it. */
  readonly site: SiteId;
  readonly days: number;
  readonly wantedDays: number;
  readonly statement: StatementId;
  readonly leftDays: number;
  /** Keys that have objected. */
  readonly objections: readonly string[];
}

/** What members say of DELEGATEs that the owner's key did sign; what they make up is left out. */
export function pendingLocks(view: View, authority: Authority): readonly PendingLock[] {
  const objections = new Map<StatementId, readonly string[]>();
  const objectionsOf = (owner: OwnerId, statement: StatementId): readonly string[] => {
    const known = objections.get(statement) ?? objectionsTo(view, authority, { owner, statement });
    objections.set(statement, known);
    return known;
  };
  const said = new Map(authority.delegations.map((each) => [each.statement, each]));
  const taken = new Map<SiteId, number>();
  const found: PendingLock[] = [];
  for (const { key, author, value } of view.entries("hold", LOCK_KEYS)) {
    if (!authority.sites.has(author)) continue;
    const name = parseHoldKey(key.slice(LOCK_KEYS.length));
    const { data } = lockRecord.safeParse(value);
    if (name === undefined || data?.pending === undefined || data.pending === null) continue;
    const before = taken.get(author) ?? 0;
    if (before >= MOST_OF_A_SITE) continue;
    taken.set(author, before + 1);
    const { days } = data;
    const { days: wantedDays, statement, leftDays } = data.pending;
    const delegation = said.get(statement);
    const isSaid =
      delegation?.owner === name.owner &&
      (delegation.set ?? name.set) === name.set &&
      delegation.lockDays === wantedDays &&
      wantedDays < days;
    if (!isSaid) continue;
    const objected = objectionsOf(name.owner, statement);
    const lock = { days, wantedDays, statement, leftDays };
    found.push({ ...name, site: author, ...lock, objections: objected });
  }
  return found;
}
