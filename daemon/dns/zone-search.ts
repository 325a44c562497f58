/**
 * What one zone says about one name and type: one step of an answer.
 *
 * Source: RFC 1034 section 4.3.2 step 3, RFC 4592 section 3.3, RFC 6672 section 3.2.
 */
import { TYPE } from "../../protocol/dns/dns-type.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import type { RRset } from "../core/zones/zone.ts";
import { setOfType, type ZoneNode } from "./zone-node.ts";
import type { NamePath, ServedZone } from "./zone-tree.ts";

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
    | { readonly kind: "referral"; readonly ns: RRset }
    /** The name exists, perhaps without any record, but not with this type. */
    | { readonly kind: "no-data" }
    | { readonly kind: "no-name" }
  );

/** @param path - Of a name at or below the apex of a zone that is there in the view. */
export function searchZone(
  served: ServedZone,
  path: NamePath,
  type: number,
  view: ZoneView,
): Finding {
  let node = served.root;
  for (let level = served.depth; ; level++) {
    const last = level === path.length;
    // RFC 4035 section 3.1.4.1: DS at a cut belongs to the zone above it.
    const ns = node.cut(view);
    if (ns !== undefined && !(last && type === TYPE.DS)) {
      return { kind: "referral", ns, synthesized: true };
    }
    if (last) return atNode(node, type, view, false);
    // RFC 6672 section 3.2: DNAME redirects the names below its owner, not the owner itself.
    const dname = node.dname(view);
    if (dname !== undefined) return { kind: "dname", rrset: dname, synthesized: true };
    const child = node.child(path[level] ?? "", view);
    if (child === undefined) return atWildcard(node, type, view);
    node = child;
  }
}

/** RFC 4592 section 3.3.1: only the wildcard right below the closest encloser counts. */
function atWildcard(encloser: ZoneNode, type: number, view: ZoneView): Finding {
  const source = encloser.child("*", view);
  if (source === undefined) return { kind: "no-name", synthesized: true };
  return atNode(source, type, view, true);
}

function atNode(node: ZoneNode, type: number, view: ZoneView, synthesized: boolean): Finding {
  const sets = node.sets[view];
  if (type === TYPE.ANY && sets.length > 0) return { kind: "records", rrsets: sets, synthesized };
  const rrset = setOfType(sets, type);
  if (rrset !== undefined) return { kind: "records", rrsets: [rrset], synthesized };
  const cname = setOfType(sets, TYPE.CNAME);
  if (cname !== undefined) return { kind: "cname", rrset: cname, synthesized };
  return { kind: "no-data", synthesized };
}
