/** What has changed in the zones that are served, from one state to the next. */
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import type { ServedName, Zone, ZoneName } from "./zone.ts";

export type ZoneDelta<Name extends ServedName = ZoneName> =
  | { readonly kind: "gone"; readonly apex: DnsName }
  | {
      readonly kind: "changed";
      readonly apex: DnsName;
      readonly serial: number;
      /** All that the zone has: it is new, or takes the place of what was there. */
      readonly whole: boolean;
      /** A name that exists in no view is gone. Each once; the apex is always among them. */
      readonly names: readonly Name[];
    };

/** A zone as the change that brings it. */
export function wholeZone({
  apex,
  serial,
  names,
}: Pick<Zone, "apex" | "serial" | "names">): ZoneDelta {
  return { kind: "changed", apex, serial, whole: true, names: [...names.values()] };
}
