/**
 * The records that a link may be told, by name, and when each went to the group last.
 *
 * Source: RFC 6762 sections 5.4, 6 and 6.1; RFC 6763 section 12.
 */
import { nameKey, readDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { Claim } from "./claim.ts";
import { asksFor, type MdnsQuestion } from "./mdns-message.ts";
import type { Family } from "./outgoing.ts";
import { denialOf, recordId, type MdnsRecord } from "./service-records.ts";

interface Held {
  readonly records: MdnsRecord[];
  denial: MdnsRecord | undefined;
}

export class HeldNames {
  #names = new Map<string, Held>();
  readonly #said = new WeakMap<MdnsRecord, Partial<Record<Family, number>>>();

  /** Takes over the names of those claims that are through with asking. */
  take(claims: Iterable<Claim>): void {
    const known = new Map(this.all().map((record) => [recordId(record), record]));
    const names = new Map<string, Held>();
    const there = new Set<string>();
    for (const { stage, records } of claims) {
      if (stage === "probing") continue;
      for (const record of records) {
        const id = recordId(record);
        if (there.has(id)) continue;
        there.add(id);
        const at = names.get(record.key) ?? { records: [], denial: undefined };
        // The same object as before, so that it is known when it was said.
        at.records.push(known.get(id) ?? record);
        names.set(record.key, at);
      }
    }
    for (const [key, at] of names) {
      const before = this.#names.get(key)?.denial;
      const denial = denialOf(at.records);
      const same = before && denial && recordId(before) === recordId(denial);
      at.denial = same === true ? before : denial;
    }
    this.#names = names;
  }

  /** Without what says that something is not there. */
  all(): readonly MdnsRecord[] {
    return [...this.#names.values()].flatMap(({ records }) => records);
  }

  found(question: MdnsQuestion): readonly MdnsRecord[] {
    const held = this.#names.get(question.key);
    if (held === undefined) return [];
    const found = held.records.filter(({ type }) => asksFor(question, type));
    return found.length > 0 || held.denial === undefined ? found : [held.denial];
  }

  /** What an asker will want next, and what there is not at its names. */
  extra(answers: readonly MdnsRecord[]): readonly MdnsRecord[] {
    const there = new Set(answers.map(recordId));
    const extra = new Map<string, MdnsRecord>();
    const add = (key: string | undefined): void => {
      const held = key === undefined ? undefined : this.#names.get(key);
      if (held === undefined) return;
      for (const record of [...held.records, ...(held.denial === undefined ? [] : [held.denial])]) {
        const id = recordId(record);
        if (!record.unique || there.has(id) || extra.has(id)) continue;
        extra.set(id, record);
        add(targetOf(record));
      }
    };
    for (const record of answers) {
      add(targetOf(record));
      if (record.type === TYPE.A || record.type === TYPE.AAAA) add(record.key);
    }
    return [...extra.values()];
  }

  /** Notes that these go to the group now. */
  say(records: readonly MdnsRecord[], families: readonly Family[], nowMs: number): void {
    for (const record of records) {
      const said = this.#said.get(record) ?? {};
      for (const family of families) said[family] = nowMs;
      this.#said.set(record, said);
    }
  }

  /** How long ago the group was told; Infinity: never. */
  ageMs(record: MdnsRecord, family: Family, nowMs: number): number {
    return nowMs - (this.#said.get(record)?.[family] ?? -Infinity);
  }
}

/** The name that a pointer or a service leads to. */
function targetOf({ type, rdata }: MdnsRecord): string | undefined {
  if (type !== TYPE.PTR && type !== TYPE.SRV) return undefined;
  const name = readDnsName(rdata, type === TYPE.SRV ? 6 : 0);
  return name === undefined ? undefined : nameKey(name);
}
