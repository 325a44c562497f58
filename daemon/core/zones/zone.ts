/**
 * A built zone: what is served, and where each record comes from.
 *
 * Immutable. Made by zone-build.ts from replicated state, or by a test from a zone file.
 */
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import type { SerialStanding } from "../../../protocol/dns/zone-record.ts";
import type { SiteId } from "../../../protocol/ids.ts";

/** All records of one name and type (RFC 2181 section 5): one TTL, no duplicates. */
export interface RRset {
  readonly owner: DnsName;
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** Uncompressed wire form, sorted by bytes. At least one. */
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
  readonly origin: RecordOrigin;
  /** Of a SOA record that was imported. */
  readonly stands?: SerialStanding;
}

export interface Zone {
  readonly apex: DnsName;
  /** 0 to 2^32 - 1. */
  readonly serial: number;
  readonly soa: RRset;
  /** The SOA among them. */
  readonly rrsets: readonly RRset[];
  /** The same records one by one, with their origin. */
  readonly lines: readonly ZoneLine[];
  /** What was settled by a rule, as sentences for a person. A warning never stops a zone. */
  readonly warnings: readonly string[];
}
