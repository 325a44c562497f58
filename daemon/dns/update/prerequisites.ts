/**
 * Whether a zone is as an update expects it.
 *
 * Source: RFC 2136 section 3.2.
 */
import type { RRset } from "../../core/zones/zone.ts";
import { RCODE } from "../../../protocol/dns/dns-code.ts";
import { nameKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import type { Prerequisite } from "./update-message.ts";
import { canonical } from "./zone-draft.ts";

/** @param setsAt - What is served at a name. @returns NOERROR, or the code of the first that fails. */
export function checkPrerequisites(
  prerequisites: readonly Prerequisite[],
  setsAt: (owner: DnsName) => readonly RRset[],
): number {
  const equal = new Map<string, { owner: DnsName; type: number; wanted: Set<string> }>();
  for (const each of prerequisites) {
    const sets = setsAt(each.owner);
    switch (each.kind) {
      case "name-used":
        if (sets.length === 0) return RCODE.NXDOMAIN;
        break;
      case "name-unused":
        if (sets.length > 0) return RCODE.YXDOMAIN;
        break;
      case "set-there":
        if (!sets.some(({ type }) => type === each.type)) return RCODE.NXRRSET;
        break;
      case "set-not-there":
        if (sets.some(({ type }) => type === each.type)) return RCODE.YXRRSET;
        break;
      case "set-equals": {
        const { owner, type, rdata } = each;
        const key = `${type} ${nameKey(owner)}`;
        const set = equal.get(key) ?? { owner, type, wanted: new Set() };
        set.wanted.add(canonical(type, rdata));
        equal.set(key, set);
      }
    }
  }
  for (const { owner, type, wanted } of equal.values()) {
    const there = setsAt(owner).find((set) => set.type === type)?.rdata ?? [];
    const found = new Set(there.map((rdata) => canonical(type, rdata)));
    if (found.size !== wanted.size || [...wanted].some((each) => !found.has(each))) {
      return RCODE.NXRRSET;
    }
  }
  return RCODE.NOERROR;
}
