/**
 * State for DNS tests: records that a test puts in, without logs and signatures.
 *
 * It behaves towards DNS as the real state does: writes come back in the view, raise the counted
 * entry of a log, and tell the listeners.
 */
import type { Authority, Site } from "../../daemon/core/authority/authority.ts";
import type { View, ViewEntry } from "../../daemon/core/logs/view.ts";
import type { CountedLog } from "../../daemon/core/logs/counted-log.ts";
import type { ZoneWriter } from "../../daemon/dns/change-journal.ts";
import type { ZoneSource } from "../../daemon/dns/zone-source.ts";
import { parseDnsName, type DnsName } from "../../protocol/dns/dns-name.ts";
import { makeZoneRecord, zoneRecordJson, zoneRecordKey } from "../../protocol/dns/zone-record.ts";
import { idOf, sha256, type SiteId } from "../../protocol/ids.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import type { RecordClass } from "../../protocol/logs/record-class.ts";

export function siteIdOf(name: string): SiteId {
  return idOf<SiteId>(sha256(name));
}

export class StaticSource implements ZoneSource, ZoneWriter {
  readonly siteId: SiteId;
  readonly #sites: ReadonlyMap<SiteId, Site>;
  readonly #entries = new Map<string, ViewEntry>();
  readonly #listeners = new Set<() => void>();
  #seq = 0;

  /** @param siteNames - The members; what is written here is written by the first. */
  constructor(siteNames: readonly string[]) {
    this.#sites = new Map(siteNames.map((name) => [siteIdOf(name), siteOf(name)]));
    this.siteId = siteIdOf(siteNames[0] ?? "nobody");
  }

  put(recordClass: RecordClass, key: string, value: JsonValue, author = this.siteId): void {
    this.#seq += 1;
    this.#entries.set(`${recordClass} ${key} ${recordClass === "zone" ? "" : author}`, {
      class: recordClass,
      key,
      author,
      value,
      lamport: this.#seq,
      versionId: idOf(sha256(author, key, JSON.stringify(value))),
      log: idOf(sha256("log").subarray(0, 16)),
      seq: this.#seq,
      conflicts: [],
    });
    for (const listener of this.#listeners) listener();
  }

  /** One DNS record for each of the data. */
  putRecord(zone: DnsName, name: string, type: number, data: readonly string[]): void {
    for (const each of data) {
      const record = makeZoneRecord(zone, parseDnsName(name), type, 300, each);
      this.put("zone", zoneRecordKey(record), { ...zoneRecordJson(record) });
    }
  }

  write(
    changes: readonly {
      readonly class: "zone";
      readonly key: string;
      readonly value: JsonValue | undefined;
    }[],
  ): Promise<void> {
    for (const { class: recordClass, key, value } of changes) {
      if (value !== undefined) this.put(recordClass, key, value);
      else {
        this.#seq += 1;
        this.#entries.delete(`${recordClass} ${key} `);
      }
    }
    return Promise.resolve();
  }

  view(): View {
    const all = [...this.#entries.values()].toSorted((a, b) =>
      a.key === b.key ? (a.author < b.author ? -1 : 1) : a.key < b.key ? -1 : 1,
    );
    return {
      entries: (recordClass, prefix = "") =>
        all.filter((entry) => entry.class === recordClass && entry.key.startsWith(prefix)),
      get: (recordClass, key, author) =>
        all.find(
          (entry) =>
            entry.class === recordClass &&
            entry.key === key &&
            (author === undefined || entry.author === author),
        ),
      conflicts: () => [],
      hash: String(this.#seq),
    };
  }

  authority(): Authority {
    return { sites: this.#sites, mayWrite: () => true } as unknown as Authority;
  }

  logHeads(): readonly CountedLog[] {
    return [
      {
        class: "zone",
        author: this.siteId,
        part: 0,
        log: idOf(sha256("log").subarray(0, 16)),
        seq: this.#seq,
        head: idOf(sha256(String(this.#seq))),
        takenUp: 0,
        past: 0,
      },
    ];
  }

  statements() {
    return [];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function siteOf(name: string): Site {
  return {
    siteId: siteIdOf(name),
    name,
    org: "org",
    place: "place",
    domains: {} as Site["domains"],
    classes: new Set(),
    operator: idOf(sha256("operator")),
    replaces: undefined,
    statement: idOf(sha256("statement")),
  };
}
