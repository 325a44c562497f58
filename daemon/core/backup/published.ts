/**
 * What sites have published about data sets: the records of one set, put together.
 *
 * A set with many groups has several records, see protocol/logs/record-pages.ts. Everything here was
 * written by the site that it is about; who may speak for a set, its reader decides.
 */
import type { OwnerId, SetId, SiteId } from "../../../protocol/ids.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import {
  joinHeld,
  joinPlaced,
  morePlaced,
  pageKey,
  parsePlaceKey,
} from "../../../protocol/logs/record-pages.ts";
import {
  holdKey,
  holdRecord,
  parseHoldKey,
  placeKey,
  placeRecord,
  type HoldRecord,
  type PlaceRecord,
} from "../../../protocol/logs/record.ts";
import {
  auditPrefix,
  auditRecord,
  parseAuditKey,
  type AuditFinding,
} from "../../../protocol/logs/hold-record.ts";
import type { View, ViewEntry } from "../logs/view.ts";

export interface PublishedPlace {
  readonly set: SetId;
  readonly author: SiteId;
  readonly place: PlaceRecord;
}

export interface PublishedHold {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly author: SiteId;
  readonly hold: HoldRecord;
}

/** Where a site wants the groups of a set; undefined when it has published nothing sound. */
export function placeOf(view: View, set: SetId, by: SiteId): PlaceRecord | undefined {
  const entry = view.get("place", placeKey(set), by);
  return entry === undefined ? undefined : placeAt(view, set, entry);
}

/** All that sites have published about where they want sets, or one set. */
export function* placesIn(view: View, of?: SetId): Generator<PublishedPlace> {
  for (const entry of view.entries("place", of)) {
    const set = parsePlaceKey(entry.key);
    const place = set === undefined ? undefined : placeAt(view, set, entry);
    if (set !== undefined && place !== undefined) yield { set, author: entry.author, place };
  }
}

/** What a site says to hold of a set; undefined when it has published nothing sound. */
export function holdOf(
  view: View,
  owner: OwnerId,
  set: SetId,
  site: SiteId,
): HoldRecord | undefined {
  const entry = view.get("hold", holdKey(owner, set), site);
  return entry === undefined ? undefined : holdAt(view, { owner, set }, entry);
}

/** What each site says to hold of a set. */
export function* holdsOf(view: View, owner: OwnerId, set: SetId): Generator<PublishedHold> {
  const key = holdKey(owner, set);
  for (const entry of view.entries("hold", key)) {
    const hold = entry.key === key ? holdAt(view, { owner, set }, entry) : undefined;
    if (hold !== undefined) yield { owner, set, author: entry.author, hold };
  }
}

/** What one site says to hold of all sets. */
export function* holdsBy(view: View, site: SiteId): Generator<PublishedHold> {
  for (const entry of view.entries("hold")) {
    const name = entry.author === site ? parseHoldKey(entry.key) : undefined;
    const hold = name === undefined ? undefined : holdAt(view, name, entry);
    if (name !== undefined && hold !== undefined) yield { ...name, author: site, hold };
  }
}

export interface PublishedFinding {
  readonly author: SiteId;
  readonly finding: AuditFinding;
}

/** What sites have found about the holders of a set. */
export function findingsOn(view: View, owner: OwnerId, set: SetId): PublishedFinding[] {
  return findingsIn(view.entries("hold", auditPrefix(owner, set)));
}

/** What one site has found about the holders of all sets. */
export function findingsBy(view: View, site: SiteId): AuditFinding[] {
  const own = view.entries("hold", "audit/").filter(({ author }) => author === site);
  return findingsIn(own).map(({ finding }) => finding);
}

function findingsIn(entries: readonly ViewEntry[]): PublishedFinding[] {
  return entries.flatMap(({ key, author, value }) => {
    const site = parseAuditKey(key)?.site;
    const audit = AUDITS.read(value);
    return site === undefined || audit === undefined
      ? []
      : [{ author, finding: { ...audit, site } }];
  });
}

function placeAt(view: View, set: SetId, { author, value }: ViewEntry): PlaceRecord | undefined {
  const main = PLACES.read(value);
  return main === undefined
    ? undefined
    : joinPlaced(main, (page) => {
        const entry = view.get("place", pageKey(placeKey(set), page), author);
        return entry === undefined ? undefined : MORE_PLACES.read(entry.value);
      });
}

function holdAt(
  view: View,
  { owner, set }: { readonly owner: OwnerId; readonly set: SetId },
  { author, value }: ViewEntry,
): HoldRecord | undefined {
  const main = HOLDS.read(value);
  return main === undefined
    ? undefined
    : joinHeld(main, (page) => {
        const entry = view.get("hold", pageKey(holdKey(owner, set), page), author);
        return entry === undefined ? undefined : HOLDS.read(entry.value);
      });
}

/**
 * Values as they were read, as long as they stand in a view: each group of a set asks for the records
 * of all of them, and unpacking 64 groups takes half a millisecond.
 */
class Unpacked<Shape> {
  readonly #known = new WeakMap<object, { readonly shape: Shape | undefined }>();
  readonly #parse: (value: JsonValue) => { readonly data?: Shape | undefined };

  constructor(parse: (value: JsonValue) => { readonly data?: Shape | undefined }) {
    this.#parse = parse;
  }

  read(value: JsonValue): Shape | undefined {
    if (typeof value !== "object" || value === null) return undefined;
    const known = this.#known.get(value) ?? { shape: this.#parse(value).data };
    this.#known.set(value, known);
    return known.shape;
  }
}

const PLACES = new Unpacked<PlaceRecord>((value) => placeRecord.safeParse(value));
const MORE_PLACES = new Unpacked((value) => morePlaced.safeParse(value));
const AUDITS = new Unpacked((value) => auditRecord.safeParse(value));
const HOLDS = new Unpacked<HoldRecord>((value) => holdRecord.safeParse(value));
