/**
 * What holders write into their `hold` logs beside what they hold: what they found about others,
 * about themselves, and which copies they make anew. JSON, checked by every reader.
 */
import { z } from "zod";
import {
  parseId,
  type ListId,
  type OwnerId,
  type SetId,
  type SiteId,
  type StatementId,
  type StoreId,
} from "../ids.ts";
import { MAX_COPIES, MAX_GROUPS } from "../backup/list.ts";
import { hexId } from "./record.ts";

const count = z.int().min(0);

/**
 * - `proven`: all that was asked was answered right.
 * - `failed`: a shard is missing or is another one, or it was there for too long without an answer.
 * - `refused`: it is there and does not answer.
 * - `offline`: it cannot be reached.
 */
export const AUDIT_OUTCOMES = ["proven", "failed", "refused", "offline"] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** Class `hold`, key `audit/OWNER/SETID/SITE`: what the author found when it asked this holder of a set. */
export const auditRecord = z.object({
  storeId: hexId<StoreId>(16),
  outcome: z.enum(AUDIT_OUTCOMES),
  /** Since when, by the author's wall clock; for display. */
  atMs: count,
  /** When everything asked was last answered right, by the author's wall clock; null: never. */
  provenAtMs: count.nullable(),
  /** Leaves and whole shards that were answered right, ever. */
  leaves: count,
  wholes: count,
  /** Shards that are lost: found so twice, and again each time since. */
  lostShards: count,
  /** Bit g of byte g / 8, lowest first: group g has lost shards. Bytes of 0 at the end are left out. */
  lostGroups: z
    .string()
    .max(MAX_GROUPS / 4)
    .regex(/^(?:[0-9a-f]{2})*$/),
  /** Not heard of for as long as the author waits for a silent site. */
  silent: z.boolean(),
  /**
   * The account, in bytes times days of the author's running time: what was placed there, what
   * the site said to hold in full, and what of that it proved.
   */
  given: count,
  held: count,
  proven: count,
});
export type AuditFinding = z.output<typeof auditRecord> & { readonly site: SiteId };

export function auditKey(owner: OwnerId, set: SetId, site: SiteId): string {
  return `${auditPrefix(owner, set)}${site}`;
}

/** What the keys about all holders of a set begin with. */
export function auditPrefix(owner: OwnerId, set: SetId): string {
  return `audit/${owner}/${set}/`;
}

/** What such a key names; undefined when it names nothing. */
export function parseAuditKey(
  key: string,
): { readonly owner: OwnerId; readonly set: SetId; readonly site: SiteId } | undefined {
  const [first, ownerText, setText, siteText, ...rest] = key.split("/");
  const owner = parseId<OwnerId>(ownerText);
  const set = parseId<SetId>(setText, 16);
  const site = parseId<SiteId>(siteText);
  if (first !== "audit" || owner === undefined || set === undefined || site === undefined) {
    return undefined;
  }
  return rest.length > 0 ? undefined : { owner, set, site };
}

/** Class `hold`, key `scrub`: what the author's own reading of all it holds has found. */
export const scrubRecord = z.object({
  /** End of the last complete pass, by the author's wall clock. */
  atMs: count,
  shards: count,
  bytes: count,
  /** Of these: read with other bytes, or not there. */
  damaged: count,
  missing: count,
});
export const SCRUB_KEY = "scrub";

/** Class `hold`, key `repair/OWNER/SETID/GROUP`: the author has sites take in copies. */
export const repairRecord = z.object({
  /** The site that signed the list. */
  by: hexId<SiteId>(),
  /** Who is to take it in, and who has. */
  to: z.array(hexId<SiteId>()).max(MAX_COPIES),
  generation: count,
  list: hexId<ListId>(),
});

/** Class `hold`, key `intake/OWNER/SETID/GROUP`: how far the author is with such a copy. */
export const intakeRecord = z.object({
  by: hexId<SiteId>(),
  generation: count,
  list: hexId<ListId>(),
  bytes: count,
  doneBytes: count,
  /** When it ends at the rate so far, by the author's wall clock; null while that is unknown. */
  endsAtMs: count.nullable(),
  /** Why it does not take it: no room. */
  refused: z.literal("space").nullable(),
});

/** Class `hold`, key `ask/OWNER/SETID`: the set has shrunk, and the author's people are asked. */
export const askRecord = z.object({ fromBytes: count, toBytes: count });

export function askKey(owner: OwnerId, set: SetId): string {
  return `ask/${owner}/${set}`;
}

/** Class `hold`, key `lock/OWNER/SETID`: the retention lock of the set at the author. */
export const lockRecord = z.object({
  /** That counts there, in days. */
  days: count,
  /** A shorter one that does not count there yet. */
  pending: z
    .object({
      days: count,
      /** The DELEGATE that wants it. */
      statement: hexId<StatementId>(),
      /** Days of the author's running time until it counts, rounded up. */
      leftDays: count,
    })
    .nullable(),
});

/** What the keys of such records begin with. */
export const LOCK_KEYS = "lock/";

export function lockKey(owner: OwnerId, set: SetId): string {
  return `${LOCK_KEYS}${owner}/${set}`;
}

export type GroupRecordKind = "repair" | "intake";

export function groupKey(kind: GroupRecordKind, owner: OwnerId, set: SetId, group: number): string {
  return `${kind}/${owner}/${set}/${group}`;
}

/** The group that such a key names; undefined when it names none. */
export function parseGroupKey(
  kind: GroupRecordKind,
  key: string,
): { readonly owner: OwnerId; readonly set: SetId; readonly group: number } | undefined {
  const [first, ownerText, setText, groupText = "", ...rest] = key.split("/");
  const owner = parseId<OwnerId>(ownerText);
  const set = parseId<SetId>(setText, 16);
  const group = Number(groupText);
  if (first !== kind || owner === undefined || set === undefined || rest.length > 0)
    return undefined;
  if (!/^\d{1,4}$/.test(groupText) || group >= MAX_GROUPS || String(group) !== groupText) {
    return undefined;
  }
  return { owner, set, group };
}

/** The bits of `lostGroups`. @param groups - Each below {@link MAX_GROUPS}. */
export function packGroups(groups: Iterable<number>): string {
  const bits = Buffer.alloc(MAX_GROUPS / 8);
  for (const group of groups) bits[group >> 3] = (bits[group >> 3] ?? 0) | (1 << (group & 7));
  return bits.subarray(0, bits.findLastIndex((byte) => byte !== 0) + 1).toString("hex");
}

/** Whether the bit of a group is set. */
export function hasGroup(bits: string, group: number): boolean {
  const byte = bits.slice((group >> 3) * 2, (group >> 3) * 2 + 2);
  return ((Number.parseInt(byte || "0", 16) >> (group & 7)) & 1) === 1;
}
