/**
 * The shapes of the values in the classes that more than one part of a node reads.
 *
 * Values are JSON, identifiers in it hexadecimal text. A reader checks a value with these before
 * it uses it: the author may be hacked. Unknown fields are kept, never refused. The records of
 * class `zone` are described in zone-record.ts.
 */
import { z } from "zod";
import {
  parseId,
  type AnyId,
  type ChainId,
  type OwnerId,
  type SetId,
  type ShardId,
  type SiteId,
  type StoreId,
} from "../ids.ts";
import { COUNTRY_COUNT, isCountry } from "../country.ts";
import { textField } from "../encoding/wire-field.ts";
import { ZONE_VIEWS } from "../dns/zone-view.ts";
import { MAX_COPIES, MAX_GROUPS } from "../backup/list.ts";
import { heldGroups, placedGroups } from "./packed-groups.ts";

/** An identifier as it stands in JSON. */
export function hexId<Id extends AnyId>(sizeBytes: 16 | 32 = 32) {
  return z.custom<Id>(
    (value) => typeof value === "string" && parseId(value, sizeBytes) !== undefined,
    { error: `is not an id of ${sizeBytes} bytes` },
  );
}

const count = z.int().min(0);
const port = z.int().min(1).max(65_535);
const ipAddress = z.union([z.ipv4(), z.ipv6()]);

/** Class `site`, key `node`: how to reach the node and where it answers DNS. */
export const nodeRecord = z.object({
  /** Multiaddrs, best first. */
  addresses: z.array(textField(200, 1)).max(16),
  version: textField(32),
  dns: z
    .array(
      z.object({
        address: ipAddress,
        port,
        /** What everybody sees who asks there. Without: by the client's address. */
        view: z.enum(ZONE_VIEWS).optional(),
      }),
    )
    .max(8),
  /** What secrets for this site are sealed to: hexadecimal, see keys/site-box.ts. */
  box: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});
export type NodeRecord = z.output<typeof nodeRecord>;

/** Class `site`, key `service/NAME`: something that runs for people at this site. */
export const serviceRecord = z.object({
  name: textField(63, 1),
  /** Where everybody reaches it. */
  addresses: z.array(ipAddress).max(16),
  /** Where clients of the view `mesh` reach it; without, at `addresses`. */
  mesh: z.array(ipAddress).max(16).optional(),
  /** Where clients on the LAN of this site reach it; told to nobody else, for other LANs have the same ranges. */
  lan: z.array(ipAddress).max(16).optional(),
  ports: z
    .array(z.object({ name: textField(32), port, transport: z.enum(["tcp", "udp"]) }))
    .max(32),
  maintainers: z.array(textField(128, 1)).max(16),
  /** The zones that name it; all zones of the mesh when left out. */
  zones: z.array(textField(253, 1)).max(16).optional(),
});
export type ServiceRecord = z.output<typeof serviceRecord>;

/** Owners that a site names in its offer. */
export const MAX_NAMED_OWNERS = 64;

/** Class `offer`, key `offer`: what a site lends to others. What it means: daemon/core/backup/lending.ts. */
export const offerRecord = z.object({
  spaceBytes: count,
  usedBytes: count,
  storeId: hexId<StoreId>(16),
  /** To whom: every owner of the mesh, or these. */
  to: z.union([z.literal("all"), z.array(hexId<OwnerId>()).max(MAX_NAMED_OWNERS)]),
  /** The most that one owner may use. Without: all of the space. */
  capBytes: count.optional(),
  /** What one owner may send in a day. Without: a share of its cap. */
  dailyBytes: count.optional(),
  /** Other terms for some owners; of two for one owner the first counts. */
  owners: z
    .array(
      z.object({
        owner: hexId<OwnerId>(),
        capBytes: count.optional(),
        dailyBytes: count.optional(),
      }),
    )
    .max(MAX_NAMED_OWNERS)
    .optional(),
});
export type OfferRecord = z.output<typeof offerRecord>;

/** The newest snapshot of a set. */
export const snapshotHead = z.object({
  chain: hexId<ChainId>(16),
  number: count,
  /** Root of the snapshot before it; null for the first of a chain. */
  previous: hexId<ShardId>().nullable(),
  /** The shard that holds the snapshot record. */
  root: hexId<ShardId>(),
  atMs: count,
});

/** Sites that an owner names as holders of one set. */
export const MAX_NAMED_HOLDERS = 64;
const countries = z.array(z.string().refine(isCountry)).max(COUNTRY_COUNT);

/** Where copies of a set may lie, by its owner's word. */
export const placementRules = z.object({
  /** Only in these countries; none named: in any. */
  allow: countries,
  /** In none of these. */
  deny: countries,
  /** Only at these sites; null: at any. */
  holders: z.array(hexId<SiteId>()).max(MAX_NAMED_HOLDERS).nullable(),
});
export type PlacementRules = z.output<typeof placementRules>;
export const NO_RULES: PlacementRules = { allow: [], deny: [], holders: null };

/**
 * Class `place`, key `SETID`: where the site wants the shards of a set of its owner. Groups that do not
 * fit in stand in records of their own: record-pages.ts.
 */
export const placeRecord = z.object({
  owner: hexId<OwnerId>(),
  /** Sealed by the client, base64: only the owner reads it. */
  name: z.string().max(1024),
  keyEpoch: count,
  /** Remote copies wanted. */
  copies: z.int().min(1).max(MAX_COPIES),
  head: snapshotHead.nullable(),
  rules: placementRules.default(NO_RULES),
  /** Of the whole set. */
  groupCount: count.max(MAX_GROUPS),
  /** The first of them. */
  groups: placedGroups,
});
export type PlaceRecord = z.output<typeof placeRecord>;

/**
 * Class `place`, key `SETID/tips`: newest snapshots of other lines of the set, which stand beside
 * its head until a person settles them. Left out where there is none.
 */
export const tipsRecord = z.object({ tips: z.array(snapshotHead).max(16) });

export function tipsKey(set: SetId): string {
  return `${set}/tips`;
}

/** The key of a `place` record. */
export function placeKey(set: SetId): string {
  return set;
}

/**
 * Class `hold`, key `OWNER/SETID`: the newest lists that a holder has in full, of the first groups.
 * Those behind them stand in records of their own: record-pages.ts.
 */
export const holdRecord = z.object({
  storeId: hexId<StoreId>(16),
  groups: heldGroups,
  /**
   * Groups that it has let go, of as many as there were: its receipts for their shards are void
   * until it has the group in full again.
   */
  letGo: z
    .array(z.object({ group: count, groups: z.int().min(1).max(MAX_GROUPS) }))
    .max(MAX_GROUPS)
    .default([]),
});
export type HoldRecord = z.output<typeof holdRecord>;

/** The key of a `hold` record. */
export function holdKey(owner: OwnerId, set: SetId): string {
  return `${owner}/${set}`;
}

/** The set that such a key names; undefined when it is another key of the class. */
export function parseHoldKey(
  key: string,
): { readonly owner: OwnerId; readonly set: SetId } | undefined {
  const [ownerText, setText, ...rest] = key.split("/");
  const owner = parseId<OwnerId>(ownerText);
  const set = parseId<SetId>(setText, 16);
  return owner === undefined || set === undefined || rest.length > 0 ? undefined : { owner, set };
}
