/**
 * What this site knows of the holders of an own data set; judged by daemon/core/backup/set-safety.ts.
 *
 * A terabyte has three quarters of a million receipts. What they say together is remembered for
 * each list that a site has signed for in full: that does not change while list and store are the
 * same.
 */
import { hasLetGo } from "../../../core/backup/let-go.ts";
import { objectionsTo } from "../../../core/backup/objectors.ts";
import type { HolderFacts } from "../../../core/backup/set-safety.ts";
import { findingsOn } from "../../../core/backup/published.ts";
import { lockKey, lockRecord, type AuditFinding } from "../../../../protocol/logs/hold-record.ts";
import type { SiteId, StoreId } from "../../../../protocol/ids.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import { offerOf } from "../lists/lacking.ts";
import type { LoadedList } from "../lists/list-store.ts";
import type { OwnSet } from "./own-sets.ts";

type Signed = Pick<HolderFacts, "lacking" | "lockDays" | "receiptAtMs">;

/** All groups of several sets: some 100 bytes each. */
const MAX_REMEMBERED = 8192;

export class SafetyFacts {
  readonly #holder: Holder;
  /** By list, site and store; only where nothing is lacking. */
  readonly #whole = new Map<string, Signed>();

  constructor(holder: Holder) {
    this.#holder = holder;
  }

  /** The holders of each group, in the order of its targets. */
  async of(set: OwnSet): Promise<HolderFacts[][]> {
    const { lists, state } = this.#holder;
    const findings = ownFindings(this.#holder, set);
    const { sites } = state.authority();
    const groups: HolderFacts[][] = [];
    for (const [group, targets] of set.targets.entries()) {
      const known = lists.newest(set.owner, set.set, group);
      let list: LoadedList | undefined;
      const holders: HolderFacts[] = [];
      for (const site of targets) {
        const storeId = offerOf(state.view(), site)?.storeId;
        const { owner, set: id } = set;
        const part = { owner, set: id, group, groups: set.targets.length };
        const isGone = hasLetGo(state.view(), site, part);
        const key = `${known?.id}/${site}/${storeId}`;
        let signed = isGone ? undefined : this.#whole.get(key);
        if (signed === undefined) {
          list ??= await lists.load(set.owner, set.set, group);
          if (list === undefined) {
            throw new BackupError("E-BACKUP-DISK", "A list is lost or damaged.");
          }
          signed = isGone
            ? { lacking: list.entries.length + 1, lockDays: undefined, receiptAtMs: undefined }
            : await this.#signedFor(list, site, storeId);
          this.#remember(key, signed);
        }
        const member = sites.has(site);
        const lockDays = this.#lockAt(set, site, signed.lockDays);
        holders.push({ site, member, storeId, ...signed, lockDays, finding: findings.get(site) });
      }
      groups.push(holders);
    }
    return groups;
  }

  /**
   * The lock of a set at a site that has signed for something: the one that it tells, else that of
   * its receipts; or the shorter one that the owner has signed and nobody has objected to.
   */
  #lockAt({ owner, set }: OwnSet, site: SiteId, signed: number | undefined): number | undefined {
    if (signed === undefined) return undefined;
    const { state, transport } = this.#holder;
    const authority = state.authority();
    const told = lockRecord.safeParse(state.view().get("hold", lockKey(owner, set), site)?.value);
    const days = told.success ? told.data.days : signed;
    const said = authority.delegationFor(owner, set, transport.self);
    if (said === undefined || said.lockDays >= days) return days;
    return objectionsTo(state.view(), authority, said).length > 0 ? days : said.lockDays;
  }

  #remember(key: string, signed: Signed): void {
    if (signed.lacking > 0) return;
    const [oldest] = this.#whole.keys();
    if (this.#whole.size >= MAX_REMEMBERED && oldest !== undefined) this.#whole.delete(oldest);
    this.#whole.set(key, signed);
  }

  async #signedFor(list: LoadedList, site: SiteId, storeId: StoreId | undefined): Promise<Signed> {
    const ids = [list.id, ...list.entries.map(({ shard }) => shard)];
    const found = await this.#holder.receipts.forPieces(list.header.set, site, ids);
    let lacking = 0;
    let lockDays: number | undefined;
    let receiptAtMs: number | undefined;
    for (const one of found) {
      // Until the site's offer is known here, any store of it may be the present one.
      if (one === undefined || (storeId !== undefined && one.receipt.store !== storeId)) {
        lacking++;
        continue;
      }
      lockDays = Math.min(lockDays ?? Number.POSITIVE_INFINITY, one.receipt.lockDays);
      receiptAtMs = Math.max(receiptAtMs ?? 0, one.atMs);
    }
    return { lacking, lockDays, receiptAtMs };
  }
}

/** What this site's own audits of the set have found, by holder. */
function ownFindings(
  { state, transport }: Holder,
  { owner, set }: OwnSet,
): ReadonlyMap<SiteId, AuditFinding> {
  const findings = findingsOn(state.view(), owner, set);
  const own = findings.filter(({ author }) => author === transport.self);
  return new Map(own.map(({ finding }) => [finding.site, finding]));
}
