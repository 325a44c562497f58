/**
 * One zone as it is built: the records of each of its names, and which names have to be built anew.
 *
 * It is there from its first record on, and served while it has a SOA record.
 */
import { nameKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { inAllViews, perView, type PerView } from "../../../protocol/dns/zone-view.ts";
import { toHex, type SiteId } from "../../../protocol/ids.ts";
import { steeredService, type Steering } from "./steering.ts";
import type { RRset, Zone, ZoneLine, ZoneName } from "./zone.ts";
import type { ZoneDelta } from "./zone-delta.ts";
import { buildName, type NameContext } from "./zone-name.ts";
import type { Serials } from "./zone-serial.ts";
import { chosenSoa, completeSoa, serialOf } from "./zone-soa.ts";
import { zoneWarnings } from "./zone-warnings.ts";

export class ZoneDraft {
  readonly apex: DnsName;
  readonly #apexKey: string;
  /** About records that could not be read. */
  readonly #ignored: () => Iterable<string>;
  /** What people wrote, by nameKey, sorted by key. */
  readonly #written = new Map<string, readonly ZoneLine[]>();
  /** What follows from the inventory, by nameKey. */
  #derived: ReadonlyMap<string, readonly ZoneLine[]> = new Map();
  #services: ReadonlySet<string> = new Set();
  readonly #dirty = new Set<string>();
  #zone: LiveZone | undefined;

  constructor(apex: DnsName, ignored: () => Iterable<string>) {
    this.apex = apex;
    this.#apexKey = nameKey(apex);
    this.#ignored = ignored;
  }

  /** Undefined: it is not served. */
  get zone(): Zone | undefined {
    return this.#zone;
  }

  get isEmpty(): boolean {
    return this.#written.size === 0 && this.#zone === undefined;
  }

  put(line: ZoneLine): void {
    const key = nameKey(line.owner);
    const here = this.#written.get(key);
    this.#written.set(key, here === undefined ? [line] : [...here, line].toSorted(byKey));
    this.#touch(key);
  }

  /** What is not served is built as a whole when it is. */
  #touch(key: string): void {
    if (this.#zone !== undefined) this.#dirty.add(key);
  }

  /** Takes away the record of a key. @returns Whether there was one. */
  drop(owner: DnsName, recordKey: string): boolean {
    const key = nameKey(owner);
    const here = this.#written.get(key) ?? [];
    const left = here.filter((line) => keyOf(line) !== recordKey);
    if (left.length === here.length) return false;
    if (left.length > 0) this.#written.set(key, left);
    else this.#written.delete(key);
    this.#touch(key);
    return true;
  }

  /** Whether it has what it takes to be served. */
  isServable(ownSite: SiteId): boolean {
    return chosenSoa(this.#written.get(this.#apexKey) ?? [], ownSite) !== undefined;
  }

  /** Puts these in the place of all that the inventory said before. */
  derive(lines: readonly ZoneLine[]): void {
    const now = new Map<string, readonly ZoneLine[]>();
    for (const [key, given] of Map.groupBy(lines, ({ owner }) => nameKey(owner))) {
      const sorted = given.map((line) => ({ line, text: lineText(line) }));
      sorted.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
      now.set(
        key,
        sorted.map(({ line }) => line),
      );
    }
    for (const key of new Set([...this.#derived.keys(), ...now.keys()])) {
      if (textOf(this.#derived.get(key)) !== textOf(now.get(key))) this.#touch(key);
    }
    this.#derived = now;
    this.#services = new Set(lines.flatMap((line) => steeredService(line) ?? []));
  }

  /** The services that names are steered by. */
  get services(): ReadonlySet<string> {
    return this.#services;
  }

  /** Steering says something else of these services. */
  resteer(services: ReadonlySet<string>): void {
    for (const [key, lines] of this.#derived) {
      if (lines.some((line) => services.has(steeredService(line) ?? ""))) this.#touch(key);
    }
  }

  /** Builds what has changed; undefined when nothing has. */
  settle(serials: Serials, ownSite: SiteId, steering: Steering): ZoneDelta | undefined {
    const { apex } = this;
    if (!this.isServable(ownSite)) {
      const wasServed = this.#zone !== undefined;
      this.#zone = undefined;
      this.#dirty.clear();
      return wasServed ? { kind: "gone", apex } : undefined;
    }
    const serial = serialOf(this.#written.get(this.#apexKey) ?? [], serials);
    const whole = this.#zone === undefined;
    const zone = (this.#zone ??= new LiveZone(apex, this.#ignored));
    const keys = whole ? this.#allKeys() : [...this.#dirty];
    if (keys.length === 0 && zone.serial === serial) return undefined;
    // Where the zone is said to have changed its SOA is told, too.
    if (!whole && !this.#dirty.has(this.#apexKey)) keys.push(this.#apexKey);
    this.#dirty.clear();
    const context = { ownSite, isApex: false, steering };
    const names = keys.map((key) => this.#build(key, serial, context, zone));
    zone.take(serial, keys, names);
    return { kind: "changed", apex, serial, whole, names };
  }

  #allKeys(): string[] {
    const keys = [...this.#written.keys()];
    for (const key of this.#derived.keys()) if (!this.#written.has(key)) keys.push(key);
    return keys;
  }

  #build(key: string, serial: number, context: NameContext, zone: LiveZone): ZoneName {
    const written = this.#written.get(key) ?? NO_LINES;
    const derived = this.#derived.get(key) ?? NO_LINES;
    const owner = (written[0] ?? derived[0] ?? zone.names.get(key))?.owner ?? this.apex;
    if (written.length === 0 && derived.length === 0) return goneName(owner);
    if (key !== this.#apexKey) return buildName(owner, written, derived, context);
    return buildName(owner, written, derived, {
      ...context,
      isApex: true,
      completeSoa: (line, shown) => completeSoa(line, shown, serial),
    });
  }
}

const NO_LINES: readonly ZoneLine[] = [];
const NO_SETS: PerView<readonly RRset[]> = inAllViews([]);
const NOWHERE = inAllViews(false);

function goneName(owner: DnsName): ZoneName {
  return { owner, lines: [], stored: NO_SETS, served: NO_SETS, existsIn: NOWHERE, warnings: [] };
}

class LiveZone implements Zone {
  readonly apex: DnsName;
  readonly names = new Map<string, ZoneName>();
  readonly #apexKey: string;
  readonly #ignored: () => Iterable<string>;
  serial = -1;
  soa: PerView<RRset | undefined> = inAllViews(undefined);
  lineCount = 0;
  #warnings: readonly string[] | undefined;

  constructor(apex: DnsName, ignored: () => Iterable<string>) {
    this.apex = apex;
    this.#apexKey = nameKey(apex);
    this.#ignored = ignored;
  }

  /** @param keys - Of the names, in their order. */
  take(serial: number, keys: readonly string[], names: readonly ZoneName[]): void {
    this.serial = serial;
    this.#warnings = undefined;
    for (const [index, name] of names.entries()) {
      const key = keys[index] ?? "";
      this.lineCount += name.lines.length - (this.names.get(key)?.lines.length ?? 0);
      if (name.lines.length > 0) this.names.set(key, name);
      else this.names.delete(key);
    }
    const top = this.names.get(this.#apexKey);
    this.soa = perView((view) => top?.stored[view].find(({ type }) => type === TYPE.SOA));
  }

  get warnings(): readonly string[] {
    return (this.#warnings ??= zoneWarnings(this, this.#ignored()));
  }
}

function keyOf({ origin }: ZoneLine): string {
  return origin.kind === "edit" ? origin.key : "";
}

function byKey(a: ZoneLine, b: ZoneLine): number {
  return keyOf(a) < keyOf(b) ? -1 : 1;
}

function textOf(lines: readonly ZoneLine[] = NO_LINES): string {
  return lines.map(lineText).join("\n");
}

function lineText({ owner, type, ttl, rdata, view, site, origin }: ZoneLine): string {
  return JSON.stringify([toHex(owner), type, ttl, toHex(rdata), view, site, origin]);
}
