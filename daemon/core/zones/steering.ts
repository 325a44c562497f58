/**
 * Which sites of a service are answered: those that are up, and what is said when none is.
 *
 * Decides for one name in one view at a time, of what the view shows there. Where a service is up
 * is decided by steering-state.ts. A name that has records never ceases to exist by this: with
 * nothing left it has no data, since a negative answer for the name itself (RFC 8020) would
 * take all below it along, and would be kept long after the service is back.
 */
import { sameName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import { toHex, type SiteId } from "../../../protocol/ids.ts";
import type { ZoneLine } from "./zone.ts";

/** What a question for a service gets while it is up at no site. */
export type WhenDown =
  /** All sites as if they were up: checks may be wrong, and a try costs little. */
  | { readonly kind: "all" }
  /** The name without data. */
  | { readonly kind: "none" }
  | Fallback;

/** Another name in its place. */
export interface Fallback {
  readonly kind: "fallback";
  readonly name: DnsName;
  /** What a view shows of that name here; undefined: no zone here holds it, others answer for it. */
  here(view: ZoneView): readonly FallbackRecord[] | undefined;
}

/** An address or alias of a fallback. */
export type FallbackRecord = Pick<ZoneLine, "type" | "ttl" | "rdata">;

export interface Steering {
  readonly ownSite: SiteId;
  isUp(service: string, site: SiteId): boolean;
  whenDown(service: string): WhenDown;
  /** All that the two above say of a service: while it stays the same its names need no rebuilding. */
  standing(service: string): string;
}

/** Everything is up. */
export function unsteered(ownSite: SiteId): Steering {
  return {
    ownSite,
    isUp: () => true,
    whenDown: () => ({ kind: "all" }),
    standing: () => "",
  };
}

/**
 * What is answered of the lines of one name: others' lines, then those of sites that are up, this
 * site's first on its own LAN. Returns `lines` itself when that is what they say.
 *
 * `SERVICE.SITE.ZONE` is left alone: it is how people and checks reach that very site.
 *
 * @param lines - All of one name in this view.
 */
export function steer(
  lines: readonly ZoneLine[],
  view: ZoneView,
  steering: Steering,
): readonly ZoneLine[] {
  const services = new Map<string, ZoneLine[]>();
  const others: ZoneLine[] = [];
  for (const line of lines) {
    const service = steeredService(line);
    if (service === undefined) others.push(line);
    else {
      const its = services.get(service);
      if (its === undefined) services.set(service, [line]);
      else its.push(line);
    }
  }
  if (services.size === 0) return lines;
  const isAlone = others.length === 0 && services.size === 1;
  const chosen = [...services].flatMap(([service, its]) => {
    const up = its.filter(({ origin }) => origin.kind === "service" && isUp(steering, origin));
    const shown = up.length > 0 ? up : whenDown(its, steering.whenDown(service), view, isAlone);
    return view === "lan" ? ownFirst(shown, steering.ownSite) : shown;
  });
  const steered = [...others, ...chosen];
  const isSame = steered.length === lines.length && steered.every((line, at) => line === lines[at]);
  return isSame ? lines : steered;
}

/** The service that the line is steered with; undefined: it is always shown. */
export function steeredService({ origin }: ZoneLine): string | undefined {
  return origin.kind === "service" && origin.atSite !== true ? origin.service : undefined;
}

function isUp(steering: Steering, origin: { readonly service: string; readonly site: SiteId }) {
  return steering.isUp(origin.service, origin.site);
}

function ownFirst(lines: readonly ZoneLine[], ownSite: SiteId): readonly ZoneLine[] {
  const isOwn = ({ origin }: ZoneLine): boolean =>
    origin.kind === "service" && origin.site === ownSite;
  return [...lines.filter(isOwn), ...lines.filter((line) => !isOwn(line))];
}

/** @param isAlone - Whether the name has no other records: an alias can stand there. */
function whenDown(
  lines: readonly ZoneLine[],
  rule: WhenDown,
  view: ZoneView,
  isAlone: boolean,
): readonly ZoneLine[] {
  const [first] = lines;
  if (rule.kind === "all" || first === undefined) return lines;
  if (rule.kind === "none") return [];
  const here = rule.here(view);
  // An alias to a name that is not there would make the answer NXDOMAIN (RFC 2308 section 2.1).
  if (here?.length === 0 || sameName(rule.name, first.owner)) return lines;
  if (lines.every(({ type }) => type === TYPE.SRV)) return towards(lines, rule.name);
  if (isAlone) return [{ ...first, type: TYPE.CNAME, rdata: rule.name }];
  const addresses = (here ?? []).filter(({ type }) => type === TYPE.A || type === TYPE.AAAA);
  return addresses.length === 0 ? lines : addresses.map((each) => ({ ...first, ...each }));
}

/** The same ports at another name: an alias would have to be one of the name with its ports. */
function towards(lines: readonly ZoneLine[], name: DnsName): readonly ZoneLine[] {
  // RFC 2782: priority, weight and port stand before the target, two bytes each. Which site was
  // nearer does not matter any more.
  const moved = lines.map((line) => {
    const rdata = new Uint8Array(6 + name.length);
    rdata.set(line.rdata.subarray(2, 6), 2);
    rdata.set(name, 6);
    return { ...line, rdata };
  });
  return [...new Map(moved.map((line) => [toHex(line.rdata), line])).values()];
}
