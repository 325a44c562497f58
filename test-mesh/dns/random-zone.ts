/**
 * Zones and questions drawn from a seed, where NXDOMAIN, empty non-terminals and wildcards abound.
 *
 * Few labels and deep names, so that names meet: below one another, below wildcards, below cuts. What
 * servers refuse to load is left out: aliases beside data, data below a DNAME, wildcards that delegate.
 */
import type { SeededRandom } from "../fakes/seeded-random.ts";

export interface RandomZone {
  /** Absolute, with its final dot. */
  readonly apex: string;
  /** Lines of a zone file: `owner ttl IN type data`, names absolute. */
  readonly lines: readonly string[];
  readonly questions: readonly { readonly name: string; readonly type: string }[];
}

const LABELS = ["a", "b", "c", "d"];
const TYPES = ["A", "AAAA", "TXT", "MX", "CNAME", "NS", "SOA", "DS", "SRV", "DNAME"];
const MAX_DEPTH = 4;

/** @param apex - With its final dot. */
export function randomZone(apex: string, questionCount: number, random: SeededRandom): RandomZone {
  const draw = new Drawing(apex, random);
  draw.fill(4 + random.below(10));
  const questions = Array.from({ length: questionCount }, () => draw.question());
  return { apex, lines: draw.lines, questions };
}

class Drawing {
  readonly lines: string[];
  readonly #apex: string;
  readonly #random: SeededRandom;
  /** What stands at a name: data, or one thing that allows no other. */
  readonly #kinds = new Map<string, "data" | "CNAME" | "DNAME" | "NS">();

  constructor(apex: string, random: SeededRandom) {
    this.#apex = apex;
    this.#random = random;
    this.lines = [
      `${apex} 300 IN SOA ns.${apex} host.${apex} 7 3600 300 1209600 60`,
      `${apex} 300 IN NS ns.${apex}`,
      `ns.${apex} 300 IN A 192.0.2.53`,
    ];
    this.#kinds.set(apex, "data");
    this.#kinds.set(`ns.${apex}`, "data");
  }

  fill(count: number): void {
    for (let left = count; left > 0; left--) {
      const name = this.#name(true);
      const before = this.#kinds.get(name);
      if (before !== undefined && before !== "data") continue;
      const chance = this.#random.next();
      if (chance < 0.2) this.#alone(name, "CNAME");
      else if (chance < 0.27 && !name.startsWith("*")) this.#alone(name, "DNAME");
      else if (chance < 0.4 && !name.includes("*")) this.#delegate(name);
      else this.#data(name);
    }
  }

  question(): { name: string; type: string } {
    const type = this.#random.pick(TYPES);
    const chance = this.#random.next();
    const known = this.#random.pick([...this.#kinds.keys()]);
    if (chance < 0.25) return { name: known, type };
    const label = this.#random.pick([...LABELS, "*", "x"]);
    if (chance < 0.45) return { name: `${label}.${known}`, type };
    const above = known.length > this.#apex.length ? known.slice(known.indexOf(".") + 1) : known;
    if (chance < 0.6) return { name: above, type };
    if (chance < 0.75) return { name: `${label}.${above}`, type };
    return { name: this.#name(false), type };
  }

  #name(withWildcards: boolean): string {
    const labels: string[] = [];
    for (let depth = 1 + this.#random.below(MAX_DEPTH); depth > 0; depth--) {
      labels.push(this.#random.pick(LABELS));
    }
    if (withWildcards && this.#random.chance(0.3)) labels[0] = "*";
    if (withWildcards && this.#random.chance(0.08)) labels[labels.length - 1] = "*";
    return `${labels.join(".")}.${this.#apex}`;
  }

  #target(): string {
    return this.#random.chance(0.15) ? "www.far.example." : this.#name(false);
  }

  #data(name: string): void {
    if (this.#isBelow(name, "DNAME")) return;
    this.#kinds.set(name, "data");
    const number = 1 + this.#random.below(200);
    const data = this.#random.pick([
      `A 192.0.2.${number}`,
      `AAAA 2001:db8::${number}`,
      `TXT "t${number}"`,
      `MX 10 ${this.#target()}`,
      `SRV 0 0 80 ${this.#target()}`,
    ]);
    this.lines.push(`${name} 300 IN ${data}`);
  }

  #alone(name: string, type: "CNAME" | "DNAME"): void {
    const hasBelow = [...this.#kinds.keys()].some((other) => other.endsWith(`.${name}`));
    if (this.#kinds.has(name) || this.#isBelow(name, "DNAME")) return;
    if (type === "DNAME" && hasBelow) return;
    const target = this.#target();
    // A name that moves below itself has no right answer: each server stops where it likes.
    if (type === "DNAME" && target.endsWith(`.${name}`)) return;
    this.#kinds.set(name, type);
    this.lines.push(`${name} 300 IN ${type} ${target}`);
  }

  #delegate(name: string): void {
    if (this.#kinds.has(name) || this.#isBelow(name, "DNAME")) return;
    this.#kinds.set(name, "NS");
    const server = this.#random.chance(0.6) ? `ns.${name}` : this.#target();
    this.lines.push(`${name} 300 IN NS ${server}`);
    if (server === `ns.${name}`) {
      this.#kinds.set(server, "data");
      this.lines.push(`${server} 300 IN A 192.0.2.${1 + this.#random.below(200)}`);
    }
    if (this.#random.chance(0.2)) {
      this.lines.push(`${name} 300 IN DS 12345 13 2 ${"0a".repeat(32)}`);
    }
  }

  #isBelow(name: string, kind: "DNAME"): boolean {
    return [...this.#kinds].some(([other, is]) => is === kind && name.endsWith(`.${other}`));
  }
}
