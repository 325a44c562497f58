/**
 * What one zone says about one name and type: one step of an answer.
 *
 * Source: RFC 1034 section 4.3.2 step 3, RFC 4592 section 3.3, RFC 6672 section 3.2.
 */
import { TYPE } from "../../protocol/dns/dns-type.ts";
import type { RRset } from "../core/zones/zone.ts";
import { rrsetOf, type NamePath, type ServedZone, type ZoneNode } from "./zone-tree.ts";

export type Finding = {
  /** The name does not stand in the zone as it is: a wildcard, a DNAME or a cut answers for it. */
  readonly synthesized: boolean;
} &
  /** Records of the type, or of all types for ANY. */
  (
    | { readonly kind: "records"; readonly rrsets: readonly RRset[] }
    | { readonly kind: "cname"; readonly rrset: RRset }
    /** Every name below the owner stands below the target instead. */
    | { readonly kind: "dname"; readonly rrset: RRset }
    /** Somebody else answers from here on. */
    | { readonly kind: "referral"; readonly ns: RRset; readonly node: ZoneNode }
    /** The name exists, perhaps without any record, but not with this type. */
    | { readonly kind: "no-data" }
    | { readonly kind: "no-name" }
  );

/** @param path - Of a name at or below the apex. */
export function searchZone(served: ServedZone, path: NamePath, type: number): Finding {
  let node = served.root;
  for (let level = served.depth; ; level++) {
    const last = level === path.length;
    // RFC 4035 section 3.1.4.1: DS at a cut belongs to the zone above it.
    if (node.cut !== undefined && !(last && type === TYPE.DS)) {
      return { kind: "referral", ns: node.cut, node, synthesized: true };
    }
    if (last) return atNode(node, type, false);
    // RFC 6672 section 3.2: DNAME redirects the names below its owner, not the owner itself.
    if (node.dname !== undefined) return { kind: "dname", rrset: node.dname, synthesized: true };
    const child = node.children.get(path[level] ?? "");
    if (child === undefined) return atWildcard(node, type);
    node = child;
  }
}

/** RFC 4592 section 3.3.1: only the wildcard right below the closest encloser counts. */
function atWildcard(encloser: ZoneNode, type: number): Finding {
  const source = encloser.children.get("*");
  if (source === undefined) return { kind: "no-name", synthesized: true };
  return atNode(source, type, true);
}

function atNode(node: ZoneNode, type: number, synthesized: boolean): Finding {
  if (type === TYPE.ANY && node.rrsets.length > 0) {
    return { kind: "records", rrsets: node.rrsets, synthesized };
  }
  const rrset = rrsetOf(node, type);
  if (rrset !== undefined) return { kind: "records", rrsets: [rrset], synthesized };
  const cname = rrsetOf(node, TYPE.CNAME);
  if (cname !== undefined) return { kind: "cname", rrset: cname, synthesized };
  return { kind: "no-data", synthesized };
}
