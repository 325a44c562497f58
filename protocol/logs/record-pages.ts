/**
 * How records of data sets with many groups are cut, so that each value fits.
 *
 * `place`: the record of the set has as many of the first groups as fit, each further one as many of
 * the next. `hold`: every record has the same 64 groups for ever, so none depends on another one. All
 * records of a set are written together; who reads them while only some have come sees the groups up
 * to the first that is missing.
 */
import { z } from "zod";
import { MAX_GROUPS } from "../backup/list.ts";
import { encodeJson, type JsonValue } from "../encoding/json-value.ts";
import { parseId, type OwnerId, type SetId } from "../ids.ts";
import {
  countThatFits,
  heldGroups,
  placedGroups,
  type HeldGroup,
  type PlacedGroup,
} from "./packed-groups.ts";
import { MAX_VALUE_BYTES } from "./record-version.ts";
import { holdKey, placeKey, type HoldRecord, type PlaceRecord } from "./record.ts";

/** A record as it is written. */
export interface KeyedValue {
  readonly key: string;
  readonly value: JsonValue;
}

/** Class `place`, key `SETID/groups/N`, N from 1: groups that follow those of the record before. */
export const morePlaced = z.object({
  /** Number of the first of them. */
  first: z
    .int()
    .min(0)
    .max(MAX_GROUPS - 1),
  groups: placedGroups.refine((groups) => groups.length > 0),
});

/** What every record has room for: groups with as many copies as there may be, all at other sites. */
const LEAST_GROUPS = 9;
/** Records beside the first one of a set. */
export const MAX_PLACE_PAGES = Math.ceil(MAX_GROUPS / LEAST_GROUPS);
/** Groups of one `hold` record. */
export const HOLD_PAGE_GROUPS = 64;
const MAX_HOLD_PAGES = MAX_GROUPS / HOLD_PAGE_GROUPS - 1;

/** What all keys of further records of a set begin with. */
export function pagesPrefix(key: string): string {
  return `${key}/groups/`;
}

/** @param page - 0: the record of the set itself. */
export function pageKey(key: string, page: number): string {
  return page === 0 ? key : `${pagesPrefix(key)}${page}`;
}

/** The set of such a key of class `place`; undefined when it is another key of the class. */
export function parsePlaceKey(key: string): SetId | undefined {
  return parseId<SetId>(key, 16);
}

/** The records of class `place` that say this, that of the set first. */
export function placeRecords(set: SetId, place: PlaceRecord): KeyedValue[] {
  const records: KeyedValue[] = [];
  for (let at = 0; at < place.groups.length || records.length === 0;) {
    const valueOf = (groups: readonly PlacedGroup[]): JsonValue => {
      if (records.length === 0) return mainValue({ ...place, groups });
      return { first: at, groups: z.encode(placedGroups, groups) };
    };
    const rest = place.groups.slice(at);
    const roomBytes = MAX_VALUE_BYTES - encodeJson(valueOf([])).length;
    const part = rest.slice(0, countThatFits(rest, roomBytes));
    const key = pageKey(placeKey(set), records.length);
    if (part.length === 0 && records.length > 0) throw new RangeError("a group fits nowhere");
    records.push({ key, value: valueOf(part) });
    at += part.length;
  }
  return records;
}

/** What says nothing is left out. */
function mainValue(place: PlaceRecord): JsonValue {
  const { rules, ...rest } = place;
  const { allow, deny, holders } = rules;
  const hasRules = allow.length + deny.length > 0 || holders !== null;
  const { head, groups, ...plain } = rest;
  return {
    ...plain,
    head: head === null ? null : { ...head },
    ...(hasRules ? { rules: { allow, deny, holders } } : {}),
    groups: z.encode(placedGroups, groups),
  };
}

/**
 * What the records of a set say together, as far as they follow one another.
 *
 * @param page - A further record as it stands in the view, by its number.
 */
export function joinPlaced(
  main: PlaceRecord,
  page: (page: number) => z.output<typeof morePlaced> | undefined,
): PlaceRecord {
  if (main.groups.length >= main.groupCount) return cutTo(main, main.groups);
  const groups = [...main.groups];
  for (let number = 1; number <= MAX_PLACE_PAGES && groups.length < main.groupCount; number++) {
    const more = page(number);
    if (more?.first !== groups.length) break;
    groups.push(...more.groups);
  }
  return cutTo(main, groups);
}

function cutTo(main: PlaceRecord, groups: readonly PlacedGroup[]): PlaceRecord {
  return { ...main, groups: groups.slice(0, main.groupCount) };
}

/** The records of class `hold` that say this, that of the set first. */
export function holdRecords(owner: OwnerId, set: SetId, hold: HoldRecord): KeyedValue[] {
  const numbers = [...hold.groups, ...hold.letGo].map(({ group }) => group);
  const pages = Math.max(0, ...numbers.map(pageOf)) + 1;
  return Array.from({ length: pages }, (_none, page) => {
    const groups = hold.groups.filter(({ group }) => pageOf(group) === page);
    const letGo = hold.letGo.filter(({ group }) => pageOf(group) === page);
    const value = {
      storeId: hold.storeId,
      groups: z.encode(
        heldGroups,
        groups.toSorted((a, b) => a.group - b.group),
      ),
      ...(letGo.length === 0 ? {} : { letGo: letGo.map((part) => ({ ...part })) }),
    };
    return { key: pageKey(holdKey(owner, set), page), value };
  });
}

/**
 * What the records of a holder say together, up to the first that is not there. One that tells of
 * another store than the first, or of groups of another record, says nothing of them.
 *
 * @param page - A further record as it stands in the view, by its number.
 */
export function joinHeld(
  main: HoldRecord,
  page: (page: number) => HoldRecord | undefined,
): HoldRecord {
  const groups: HeldGroup[] = [];
  const letGo: HoldRecord["letGo"] = [];
  let part: HoldRecord | undefined = main;
  for (let number = 0; part !== undefined; number++) {
    if (part.storeId === main.storeId) {
      groups.push(...part.groups.filter(({ group }) => pageOf(group) === number));
      letGo.push(...part.letGo.filter(({ group }) => pageOf(group) === number));
    }
    part = number < MAX_HOLD_PAGES ? page(number + 1) : undefined;
  }
  return { ...main, groups, letGo };
}

function pageOf(group: number): number {
  return Math.floor(group / HOLD_PAGE_GROUPS);
}
