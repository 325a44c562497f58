/**
 * Zones from replicated state: the records that people wrote, and names from the inventory.
 *
 * A builder remembers what it has built: after a change only the names that it touches are built
 * again, and what comes of it is what building everything anew would give. So nodes with the same
 * state serve the same zones, whatever each has seen before. Records may contradict one another,
 * because two people may edit at once; each contradiction is settled by a rule and becomes a
 * warning. None stops a zone from being served.
 */
import { lowerCase, parseDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { isZoneMeta } from "../../../protocol/dns/zone-key.ts";
import { readZoneRecord } from "../../../protocol/dns/zone-record.ts";
import { PleachError } from "../../../protocol/error.ts";
import type { ViewEntry } from "../logs/view.ts";
import { unsteered, type Steering } from "./steering.ts";
import type { Zone, ZoneLine } from "./zone.ts";
import type { ZoneDelta } from "./zone-delta.ts";
import { ZoneDraft } from "./zone-draft.ts";
import { inventoryLines, inventoryText, type InventoryState } from "./zone-inventory.ts";
import { rivalBases } from "./serial-base.ts";
import type { Serials } from "./zone-serial.ts";

export interface ZoneState extends InventoryState, Serials {
  /** Which sites of services are answered; default: all. */
  readonly steering?: Steering;
}

/** All zones that have a SOA record, sorted by name. */
export function buildZones(state: ZoneState): readonly Zone[] {
  const builder = new ZoneBuilder();
  builder.update(state);
  return builder.zones;
}

export class ZoneBuilder {
  /** As they were at the last update. */
  #entries: readonly ViewEntry[] = [];
  /** By the zone's name as it stands in keys: there is one way to write it. */
  readonly #drafts = new Map<string, ZoneDraft>();
  /** Warnings about records that cannot be read, by the zone's name and by key. */
  readonly #ignored = new Map<string, Map<string, string>>();
  #inventory = "";
  /** What steering said of each service, see {@link Steering.standing}. */
  #standings: ReadonlyMap<string, string> = new Map();
  #zones: readonly Zone[] = [];

  /** Those that have a SOA record, sorted by name. */
  get zones(): readonly Zone[] {
    return this.#zones;
  }

  /**
   * Takes over a state. A builder that has thrown, which is a bug, knows no state any more.
   *
   * @returns What is served otherwise than before, each zone once.
   */
  update(state: ZoneState): readonly ZoneDelta[] {
    const steering = state.steering ?? unsteered(state.ownSite);
    this.#read(state.view.entries("zone"));
    this.#derive(state);
    this.#steer(steering);
    const deltas: ZoneDelta[] = [];
    for (const [name, draft] of this.#drafts) {
      const delta = draft.settle(state, state.ownSite, steering);
      if (delta !== undefined) deltas.push(delta);
      if (draft.isEmpty) this.#drafts.delete(name);
    }
    if (deltas.some((delta) => delta.kind === "gone" || delta.whole)) {
      this.#zones = [...this.#drafts]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([, { zone }]) => zone ?? []);
    }
    return deltas;
  }

  /** Finds the records that are not as they were. Both lists are sorted by key, each key once. */
  #read(entries: readonly ViewEntry[]): void {
    const before = this.#entries;
    let at = 0;
    for (const entry of entries) {
      let old = before[at];
      for (; old !== entry && old !== undefined && old.key < entry.key; old = before[at]) {
        this.#drop(old);
        at += 1;
      }
      const isThere = old !== undefined && old.key === entry.key;
      if (isThere) at += 1;
      if (old === entry || (isThere && old !== undefined && isAsBefore(old, entry))) continue;
      if (isThere && old !== undefined) this.#drop(old);
      this.#take(entry);
    }
    for (const old of before.slice(at)) this.#drop(old);
    this.#entries = entries;
  }

  #take(entry: ViewEntry): void {
    if (isZoneMeta(entry.key)) return;
    const name = zoneNameOf(entry);
    try {
      const line = readLine(entry);
      const draft = this.#drafts.get(name) ?? this.#begin(name);
      draft.put(line);
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      const ignored = this.#ignored.get(name) ?? new Map<string, string>();
      this.#ignored.set(name, ignored);
      ignored.set(entry.key, `A record of ${entry.author} is ignored: ${error.message}`);
    }
  }

  #drop(entry: ViewEntry): void {
    if (isZoneMeta(entry.key)) return;
    const name = zoneNameOf(entry);
    const ignored = this.#ignored.get(name);
    if (ignored?.delete(entry.key) === true) {
      if (ignored.size === 0) this.#ignored.delete(name);
      return;
    }
    const draft = this.#drafts.get(name);
    const [, owner = ""] = entry.key.split("/");
    draft?.drop(parseDnsName(owner, draft.apex), entry.key);
  }

  #begin(name: string): ZoneDraft {
    const ignored = (): Iterable<string> => this.#ignored.get(name)?.values() ?? [];
    const draft = new ZoneDraft(lowerCase(parseDnsName(name)), ignored);
    this.#drafts.set(name, draft);
    return draft;
  }

  /** Brings the names of the inventory into the zones where they are not as the state has them. */
  #derive(state: ZoneState): void {
    const text = inventoryText(state);
    const isSame = text === this.#inventory;
    this.#inventory = text;
    for (const draft of this.#drafts.values()) {
      const isNew = draft.zone === undefined && draft.isServable(state.ownSite);
      if (isNew || (!isSame && draft.zone !== undefined)) {
        draft.derive(inventoryLines(draft.apex, state));
      }
    }
  }

  /** Has the names of services built again of which steering says something else than before. */
  #steer(steering: Steering): void {
    const services = new Set([...this.#drafts.values()].flatMap((draft) => [...draft.services]));
    const now = new Map([...services].map((service) => [service, steering.standing(service)]));
    const changed = new Set(
      [...now].flatMap(([service, text]) => (this.#standings.get(service) === text ? [] : service)),
    );
    this.#standings = now;
    if (changed.size === 0) return;
    for (const draft of this.#drafts.values()) draft.resteer(changed);
  }
}

function zoneNameOf({ key }: ViewEntry): string {
  return key.slice(0, Math.max(0, key.indexOf("/")));
}

/** Versions never change, but another that stands beside one may come and go. */
function isAsBefore(old: ViewEntry, entry: ViewEntry): boolean {
  const rivals = ({ conflicts }: ViewEntry): string =>
    conflicts.map(({ versionId }) => versionId).join();
  return old.versionId === entry.versionId && rivals(old) === rivals(entry);
}

function isContested({ conflicts }: ViewEntry): boolean {
  return conflicts.length > 0;
}

function readLine(entry: ViewEntry): ZoneLine {
  const { key, value, author, lamport } = entry;
  const { owner, type, ttl, rdata, view, site, stands, tsig } = readZoneRecord(key, value);
  const edit = { kind: "edit", key, author, lamport } as const;
  const contested = isContested(entry) ? ({ ...edit, contested: true } as const) : edit;
  const origin = tsig === undefined ? contested : { ...contested, tsig };
  const data = pooled(rdata);
  const line = { owner: pooled(owner) as DnsName, type, ttl, rdata: data, view, origin };
  if (site === undefined && stands === undefined && !isContested(entry)) return line;
  return {
    ...line,
    ...(site === undefined ? {} : { site }),
    ...(stands === undefined ? {} : { stands }),
    ...(type === TYPE.SOA && isContested(entry) ? { rivals: rivalBases(entry) } : {}),
  };
}

/** A copy that shares its memory with others: by itself a small array takes 100 bytes more. */
function pooled(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.from(bytes);
  return new Uint8Array(buffer, byteOffset, length);
}
