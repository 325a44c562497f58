/**
 * Which zones of tests can be served at once without one test seeing the zone of another.
 *
 * Each test is about a server with one zone only. A zone shares a server with others as long as no
 * name that a server could look up for it, its own or one that its data lead to, is in another one.
 */
import { labelKeys, type DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { nameOffsets } from "../../protocol/dns/rdata-names.ts";
import { readDnsName } from "../../protocol/dns/dns-name.ts";
import type { FileZone } from "../../daemon/core/zones/file-zone.ts";

export interface ZoneToServe {
  readonly zone: FileZone;
  /** What is asked. */
  readonly question: DnsName;
}

/** A change of so many zones fits a batch or two. */
const MAX_ZONES = 60;

/** Groups of zones, each zone in one of them. */
export function planWaves<T extends ZoneToServe>(tests: readonly T[]): T[][] {
  const waves: Wave<T>[] = [];
  for (const test of tests) {
    const names = namesOf(test);
    const wave = waves.find((each) => each.tests.length < MAX_ZONES && each.takes(names));
    if (wave === undefined) waves.push(new Wave(test, names));
    else wave.add(test, names);
  }
  return waves.map(({ tests: each }) => each);
}

/** Names as paths from the root, with all paths above them. */
interface Names {
  readonly apex: string;
  /** The apex and what is above it. */
  readonly aboveApex: readonly string[];
  /** What may be looked up, and what is above that. */
  readonly aboveTargets: readonly string[];
  /** A DNAME leads to anything below these. */
  readonly moved: readonly string[];
}

class Wave<T> {
  readonly tests: T[];
  readonly #apexes = new Set<string>();
  readonly #aboveApexes = new Set<string>();
  readonly #aboveTargets = new Set<string>();
  readonly #moved = new Set<string>();

  constructor(test: T, names: Names) {
    this.tests = [];
    this.add(test, names);
  }

  takes({ apex, aboveApex, aboveTargets, moved }: Names): boolean {
    return !(
      aboveApex.some((path) => this.#apexes.has(path) || this.#moved.has(path)) ||
      aboveTargets.some((path) => this.#apexes.has(path)) ||
      moved.some((path) => this.#aboveApexes.has(path)) ||
      this.#aboveApexes.has(apex) ||
      this.#aboveTargets.has(apex)
    );
  }

  add(test: T, { apex, aboveApex, aboveTargets, moved }: Names): void {
    this.tests.push(test);
    this.#apexes.add(apex);
    for (const path of aboveApex) this.#aboveApexes.add(path);
    for (const path of aboveTargets) this.#aboveTargets.add(path);
    for (const path of moved) this.#moved.add(path);
  }
}

function namesOf({ zone, question }: ZoneToServe): Names {
  const targets = [question];
  const moved: string[] = [];
  for (const { type, rdata } of zone.records) {
    for (const at of nameOffsets(type, rdata)) {
      const name = readDnsName(rdata, at);
      if (name === undefined || type === TYPE.SOA) continue;
      targets.push(name);
      if (type === TYPE.DNAME) moved.push(pathsAbove(name)[0] ?? "");
    }
  }
  const aboveApex = pathsAbove(zone.apex);
  return {
    apex: aboveApex[0] ?? "",
    aboveApex,
    aboveTargets: [...new Set(targets.flatMap(pathsAbove))],
    moved,
  };
}

/** The name itself first. */
function pathsAbove(name: DnsName): string[] {
  const labels = labelKeys(name);
  return labels.map((_, index) => labels.slice(index).join("\0"));
}
