/**
 * Whether a data set is safe, and if not, what stands in the way.
 *
 * Safe = as many sites as are wanted hold the newest list of every group in full, keep it for 14
 * days more whatever happens, have said or proven so within the last 14 days out of the same
 * store, and owe no answer. Anything else is at risk, with the number. What is asked here is what
 * the owner's site itself was told or has seen: others' words make nothing safe.
 */
import type { AuditFinding, AuditOutcome } from "../../../protocol/logs/hold-record.ts";
import type { SiteId, StoreId } from "../../../protocol/ids.ts";

/** Less time to notice and to act is no safety. */
export const LEAST_LOCK_DAYS = 14;
const DAY_MS = 86_400_000;
/** Audits come daily: two weeks without a word are more than a holiday of the box. */
export const VOUCHED_WITHIN_MS = 14 * DAY_MS;
/** A word from further ahead than this has no date: one of the two clocks is wrong. */
const CLOCKS_DIFFER_MS = DAY_MS;

/** What the owner's site knows of one site that is to hold a group. */
export interface HolderFacts {
  readonly site: SiteId;
  /** Whether it is a member of the mesh still. */
  readonly member: boolean;
  /** The store that it has now, as it says itself; undefined: it lends nothing. */
  readonly storeId: StoreId | undefined;
  /** Shards of the newest list, and the list, for which no receipt from that store is here. */
  readonly lacking: number;
  /** The shortest lock that its receipts name, in days; undefined: no receipt. */
  readonly lockDays: number | undefined;
  /** When its newest receipt came, by the wall clock here; undefined: none. */
  readonly receiptAtMs: number | undefined;
  /** What the audits of the owner's site have found about it. */
  readonly finding: AuditFinding | undefined;
}

export type Risk =
  | { readonly kind: "ended" }
  | { readonly kind: "incomplete"; readonly lacking: number }
  | { readonly kind: "short-lock"; readonly days: number }
  /** Nothing was heard for so long; undefined: never, or its date cannot be true. */
  | { readonly kind: "stale"; readonly forMs: number | undefined }
  | { readonly kind: "lost"; readonly shards: number }
  | { readonly kind: "open"; readonly outcome: Exclude<AuditOutcome, "proven"> };

/** When the site last vouched for what it has in its present store, by receipt or by proof. */
export function vouchedAtMs(facts: HolderFacts): number | undefined {
  const { storeId, receiptAtMs, finding } = facts;
  const isSameStore = finding !== undefined && finding.storeId === storeId;
  const provenAtMs = isSameStore ? (finding.provenAtMs ?? undefined) : undefined;
  if (receiptAtMs === undefined) return provenAtMs;
  return Math.max(receiptAtMs, provenAtMs ?? 0);
}

/** What keeps the copy of one site from counting; empty when it counts. */
export function risksOf(facts: HolderFacts, nowMs: number): readonly Risk[] {
  const { member, storeId, lacking, lockDays, finding } = facts;
  if (!member) return [{ kind: "ended" }];
  const risks: Risk[] = [];
  if (lacking > 0) risks.push({ kind: "incomplete", lacking });
  if (lockDays !== undefined && lockDays < LEAST_LOCK_DAYS) {
    risks.push({ kind: "short-lock", days: lockDays });
  }
  // Who has signed for nothing yet is not late.
  const isStarted = facts.receiptAtMs !== undefined;
  const atMs = vouchedAtMs(facts);
  const isDated = atMs !== undefined && atMs <= nowMs + CLOCKS_DIFFER_MS;
  if (isStarted && (!isDated || nowMs - atMs > VOUCHED_WITHIN_MS)) {
    risks.push({ kind: "stale", forMs: isDated ? nowMs - atMs : undefined });
  }
  if (finding !== undefined && finding.storeId === storeId) {
    if (finding.lostShards > 0) risks.push({ kind: "lost", shards: finding.lostShards });
    else if (finding.outcome !== "proven") risks.push({ kind: "open", outcome: finding.outcome });
  }
  return risks;
}

/** How many sites keep a safe copy of every group. @param groups - The holders of each. */
export function safeCopies(groups: readonly (readonly HolderFacts[])[], nowMs: number): number {
  const safe = groups.map((holders) => {
    return holders.filter((holder) => risksOf(holder, nowMs).length === 0).length;
  });
  return safe.length === 0 ? 0 : Math.min(...safe);
}
