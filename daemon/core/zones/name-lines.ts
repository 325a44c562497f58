/**
 * The records of a name as people list, compare and export them: which of them a view shows, and
 * how those of a place stand to the others.
 */
import { formatDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, TYPE } from "../../../protocol/dns/dns-type.ts";
import { placeText, type ViewPlace, type ZoneView } from "../../../protocol/dns/zone-view.ts";
import { toHex, type SiteId } from "../../../protocol/ids.ts";
import { isSeenAt, narrowness } from "./seen-at.ts";
import type { ZoneLine, ZoneName } from "./zone.ts";

type Listed = Pick<ZoneName, "owner" | "lines" | "stored">;

/**
 * What a view shows without steering.
 *
 * @param ownSite - Whose LAN the view `lan` is.
 */
export function linesShown(name: Listed, view: ZoneView, ownSite: SiteId): readonly ZoneLine[] {
  const place = { view, site: ownSite };
  const best = new Map<string, ZoneLine>();
  for (const line of name.lines) {
    if (!isSeenAt(line, place)) continue;
    const key = sameData(line.type, line.rdata);
    const other = best.get(key);
    if (other === undefined || narrowness(other) < narrowness(line)) best.set(key, line);
  }
  return name.stored[view].flatMap(({ type, rdata }) =>
    rdata.flatMap((each) => best.get(sameData(type, each)) ?? []),
  );
}

/** A name has one SOA in a view; what is filled in differs from view to view. */
function sameData(type: number, rdata: Uint8Array): string {
  return type === TYPE.SOA ? "SOA" : `${type} ${toHex(rdata)}`;
}

/** How a line stands to a place: it is of it, it is shown there from below, or it lies above it. */
export type Relation = "here" | "below" | "above";

/**
 * The lines of a name that have to do with a place. Of those below it only what is shown there:
 * where the place has records of a type, or a narrower one below it has, others count no more.
 */
export function linesAbout(
  { lines }: Pick<ZoneName, "lines">,
  place: ViewPlace,
): readonly { readonly line: ZoneLine; readonly at: Relation }[] {
  // Nearly all names of a large zone.
  if (lines.every(({ view }) => view === "public")) {
    const at = place.view === "public" ? "here" : "below";
    return lines.map((line) => ({ line, at }));
  }
  const top = new Map<number, number>();
  for (const line of lines) {
    if (!isSeenAt(line, place)) continue;
    top.set(line.type, Math.max(top.get(line.type) ?? 0, narrowness(line)));
  }
  const text = placeText(place);
  return lines.flatMap((line): { readonly line: ZoneLine; readonly at: Relation }[] => {
    if (placeText(line) === text) return [{ line, at: "here" }];
    if (!isSeenAt(line, place)) return isSeenAt(place, line) ? [{ line, at: "above" }] : [];
    return narrowness(line) === top.get(line.type) ? [{ line, at: "below" }] : [];
  });
}

/** What says where a name is: who sees two kinds of them is led to two places. */
const LEADING: readonly number[] = [TYPE.A, TYPE.AAAA, TYPE.HTTPS, TYPE.SVCB];

function isDerived({ origin }: ZoneLine): boolean {
  return origin.kind === "service" || origin.kind === "node";
}

/**
 * Says where a view has addresses of its own for a name and shows other ones of a less specific
 * view beside them. That is what overlaying by type means, and seldom what somebody thought of.
 */
export function partlyHidden(name: Listed, ownSite: SiteId): readonly string[] {
  if (name.lines.every(({ view }) => view === "public")) return [];
  const notes: string[] = [];
  for (const view of ["mesh", "lan"] as const) {
    const shown = linesShown(name, view, ownSite).filter(({ type }) => LEADING.includes(type));
    const [own, others] = [
      shown.filter((line) => line.view === view),
      shown.filter((line) => line.view !== view),
    ];
    const [first] = others;
    if (own.length === 0 || first === undefined) continue;
    // The inventory gives each view what it is meant to see.
    if (shown.every(isDerived)) continue;
    const list = (lines: readonly ZoneLine[]): string =>
      [...new Set(lines.map(({ type }) => formatType(type)))].join(" and ");
    notes.push(
      `In the view ${view}, ${formatDnsName(name.owner)} has ${list(own)} of its own and ` +
        `${list(others)} of the view ${first.view}: who asks for both gets both.`,
    );
  }
  return notes;
}
