/**
 * A service's names on one link: asked for first, then announced, then held.
 *
 * Names on a link belong to who was there first. Who wants one asks three times whether anybody has
 * it; of two that ask at once the one with the later records goes on. A service whose name is taken
 * gets the name of its site behind its own, then a number.
 *
 * Source: RFC 6762 sections 8 and 9.
 */
import type { DecodedRecord } from "../../../protocol/dns/decode-message.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { nameKey } from "../../../protocol/dns/dns-name.ts";
import { recordId, serviceRecords } from "./service-records.ts";
import type { LocalService, MdnsRecord } from "./service-records.ts";

export type Stage = "probing" | "announcing" | "held";

/** RFC 1035 section 2.3.4. */
const MAX_LABEL_BYTES = 63;

export class Claim {
  readonly service: LocalService;
  /** The first label of its names. */
  readonly label: string;
  /** Labels that were taken before this one. */
  readonly attempt: number;
  readonly records: readonly MdnsRecord[];
  /** Those of {@link records} that are ours alone, by name. */
  readonly unique: ReadonlyMap<string, readonly MdnsRecord[]>;
  stage: Stage = "probing";
  /** Probes or announcements that were sent in this stage. */
  sent = 0;
  /** When the next one is due; of no meaning once the names are held. */
  dueMs: number;

  constructor(service: LocalService, label: string, attempt: number, dueMs: number) {
    this.service = service;
    this.label = label;
    this.attempt = attempt;
    this.dueMs = dueMs;
    this.records = serviceRecords(label, service);
    const unique = new Map<string, MdnsRecord[]>();
    for (const record of this.records) {
      if (record.unique) unique.set(record.key, [...(unique.get(record.key) ?? []), record]);
    }
    this.unique = unique;
  }

  enter(stage: Stage, dueMs: number): void {
    this.stage = stage;
    this.sent = 0;
    this.dueMs = dueMs;
  }

  /**
   * Whether somebody else has said something about a name of ours that cannot stand beside it.
   *
   * While we ask, any record of the name is one too many; later only another one of a type of ours.
   */
  contradicts(said: DecodedRecord): boolean {
    const key = nameKey(said.owner);
    const ours = this.unique.get(key);
    // Section 10.1: with TTL 0 a record is taken back. Each NSEC tells of its own host.
    if (ours === undefined || said.ttl === 0 || said.type === TYPE.NSEC) return false;
    if (ours.some((record) => isSame(record, said))) return false;
    return this.stage === "probing" || ours.some(({ type }) => type === said.type);
  }

  /** Whether another one that asks for a name of ours at the same time has it by right. */
  yieldsTo(proposed: readonly DecodedRecord[]): boolean {
    const theirs = new Map<string, DecodedRecord[]>();
    for (const record of proposed) {
      const key = nameKey(record.owner);
      if (this.unique.has(key)) theirs.set(key, [...(theirs.get(key) ?? []), record]);
    }
    return [...theirs].some(([key, records]) => isLater(records, this.unique.get(key) ?? []));
  }
}

/** The label of a service after so many were taken: its name, then with the site, then counted. */
export function labelOf(service: string, site: string, attempt: number): string {
  if (attempt === 0) return service;
  const end = attempt === 1 ? `-${site}` : `-${site}-${attempt}`;
  const kept = service.slice(0, Math.max(1, MAX_LABEL_BYTES - end.length));
  return (kept + end).slice(0, MAX_LABEL_BYTES).replace(/-+$/, "");
}

function isSame(record: MdnsRecord, said: DecodedRecord): boolean {
  return recordId(record) === recordId({ ...record, type: said.type, rdata: said.rdata });
}

type Proposed = Pick<DecodedRecord, "type" | "rdata">;

/**
 * Section 8.2.1: both lists are sorted by class, type and data, and compared pair by pair; "the
 * lexicographically later data wins", and so does the longer list. Equal lists are no conflict.
 */
function isLater(theirs: readonly Proposed[], ours: readonly Proposed[]): boolean {
  const [a, b] = [theirs.toSorted(compare), ours.toSorted(compare)];
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined) return false;
    if (right === undefined) return true;
    const order = compare(left, right);
    if (order !== 0) return order > 0;
  }
  return false;
}

function compare(a: Proposed, b: Proposed): number {
  return a.type - b.type || Buffer.compare(a.rdata, b.rdata);
}
