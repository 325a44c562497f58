/**
 * A built zone: what is served, and where each record comes from.
 *
 * Made by zone-build.ts from replicated state, or by plain-zone.ts from records as they are.
 */
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { SerialStanding } from "../../../protocol/dns/zone-record.ts";
import type { PerView, ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import type { SerialBase } from "./serial-base.ts";

/** All records of one name and type (RFC 2181 section 5): one TTL, no duplicates. */
export interface RRset {
  readonly owner: DnsName;
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** Uncompressed wire form, at least one: sorted by bytes, or as steering has put them. */
  readonly rdata: readonly Uint8Array[];
}

/** Why a record stands in a zone. */
export type RecordOrigin =
  /** Somebody wrote it at this site. */
  | {
      readonly kind: "edit";
      readonly key: string;
      readonly author: SiteId;
      readonly lamport: number;
      /** Somebody changed it at another site at the same time. */
      readonly contested?: true;
      /** Name of the TSIG key whose update it was. */
      readonly tsig?: string;
    }
  /** A site declares a service. */
  | {
      readonly kind: "service";
      readonly service: string;
      readonly site: SiteId;
      /** The name is of the service at this site alone, so steering leaves it. */
      readonly atSite?: true;
    }
  /** A site is a member. */
  | { readonly kind: "node"; readonly site: SiteId }
  /** Needed by every zone and written by nobody. */
  | { readonly kind: "default" };

export interface ZoneLine {
  readonly owner: DnsName;
  readonly type: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
  /** The least specific view that shows it. */
  readonly view: ZoneView;
  /** Only the LAN of this site sees it; the view is `lan` then. */
  readonly site?: SiteId;
  readonly origin: RecordOrigin;
  /** Of a SOA record that was imported. */
  readonly stands?: SerialStanding;
  /** Of a SOA record: what others that were written at the same time are counted from. */
  readonly rivals?: readonly SerialBase[];
}

/** What an answer needs of a name. */
export interface ServedName {
  readonly owner: DnsName;
  /** The record sets of each view, with steering. */
  readonly served: PerView<readonly RRset[]>;
  /** Whether a view has records at the name, even if steering shows none of them now. */
  readonly existsIn: PerView<boolean>;
}

/** All of one name. Immutable; a change makes a new one. */
export interface ZoneName extends ServedName {
  /** One by one, with their origin; those that no view shows because of others are left out. */
  readonly lines: readonly ZoneLine[];
  /** What transfers of a view carry: the overlay without steering. Mostly the same as `served`. */
  readonly stored: PerView<readonly RRset[]>;
  /** What was settled by a rule, as sentences for a person. */
  readonly warnings: readonly string[];
}

/**
 * A zone as it is served now. It is live: later changes are seen through it. Who needs one moment
 * of it copies `names`, whose values do not change.
 */
export interface Zone {
  readonly apex: DnsName;
  /** 0 to 2^32 - 1. The same in all views. */
  readonly serial: number;
  /** Undefined in views that do not have the zone. */
  readonly soa: PerView<RRset | undefined>;
  /** By nameKey. */
  readonly names: ReadonlyMap<string, ZoneName>;
  /** How many records stand in it, whatever view they are of. */
  readonly lineCount: number;
  /** What was settled by a rule, as sentences for a person. A warning never stops a zone. */
  readonly warnings: readonly string[];
}

/** The records of all names one by one, in no particular order. */
export function* linesOf({ names }: Pick<Zone, "names">): Generator<ZoneLine> {
  for (const { lines } of names.values()) yield* lines;
}

/** The record sets of a view without steering, the SOA first, otherwise in no particular order. */
export function* storedSets(
  { soa, names }: { readonly soa: Zone["soa"]; readonly names: Iterable<ZoneName> },
  view: ZoneView,
): Generator<RRset> {
  const first = soa[view];
  if (first !== undefined) yield first;
  for (const { stored } of names) {
    for (const rrset of stored[view]) if (rrset.type !== TYPE.SOA) yield rrset;
  }
}
