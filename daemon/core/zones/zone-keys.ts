/**
 * The TSIG keys of the zones: what each may do, and which sites need its secret.
 *
 * A pure function of the view and the authority. A key that may change a zone is for the sites that
 * answer DNS and may write that zone themselves, so its secret gives no site a right that it has
 * not; a key that only fetches is for all sites that answer DNS.
 */
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import { matchesPattern } from "../../../protocol/dns/name-pattern.ts";
import { formatType } from "../../../protocol/dns/dns-type.ts";
import {
  readZoneKeyKey,
  sealedSecretKey,
  zoneKeyRecord,
  zoneKeyKey,
  zoneKeyPlace,
  type ZoneKeyRecord,
} from "../../../protocol/dns/zone-key.ts";
import { fromHex, type SiteId } from "../../../protocol/ids.ts";
import { nodeRecord } from "../../../protocol/logs/record.ts";
import type { Authority } from "../authority/authority.ts";
import type { View } from "../logs/view.ts";

export interface ZoneKey extends ZoneKeyRecord {
  readonly zone: DnsName;
  readonly name: DnsName;
  /** Who wrote it last. */
  readonly author: SiteId;
}

/** A site that needs a secret, with what it is sealed to. */
export interface KeyReader {
  readonly site: SiteId;
  readonly boxKey: Uint8Array;
}

export type Rights = Pick<Authority, "sites" | "mayWrite">;

/** The keys of a zone, by name. Those of an unreadable form are left out. */
export function zoneKeys(view: View, zone: DnsName): readonly ZoneKey[] {
  return view.entries("zone", zoneKeyPlace(zone)).flatMap(({ key, value, author }) => {
    const at = readZoneKeyKey(key);
    const parsed = zoneKeyRecord.safeParse(value);
    if (at === undefined || at.site !== undefined || !parsed.success) return [];
    return [{ ...parsed.data, zone: at.zone, name: at.name, author }];
  });
}

/** The sites that should be able to use the key. */
export function readersOf(key: ZoneKey, view: View, rights: Rights): readonly KeyReader[] {
  const place = zoneKeyKey(key.zone, key.name);
  return [...rights.sites.keys()].flatMap((site) => {
    const node = nodeRecord.safeParse(view.get("site", "node", site)?.value);
    if (!node.success || node.data.dns.length === 0 || node.data.box === undefined) return [];
    if (key.update.length > 0 && !rights.mayWrite(site, "zone", place)) return [];
    return [{ site, boxKey: fromHex(node.data.box) }];
  });
}

/** Those of them that nobody has sealed it to yet. */
export function missingReaders(key: ZoneKey, view: View, rights: Rights): readonly KeyReader[] {
  return readersOf(key, view, rights).filter(
    ({ site }) => view.get("zone", sealedSecretKey(key.zone, key.name, site)) === undefined,
  );
}

/** Whether the key may change records of this type at this name. */
export function mayUpdate(key: ZoneKey, owner: DnsName, type: number): boolean {
  const typeName = formatType(type);
  return key.update.some(
    ({ names, types }) =>
      (types.length === 0 || types.includes(typeName)) && matchesPattern(owner, names),
  );
}
