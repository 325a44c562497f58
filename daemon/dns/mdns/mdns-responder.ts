/**
 * Answers for the services of this site on one link, without a socket and without a clock: what
 * comes in and the time go in, what is to be sent comes out.
 *
 * It bounds what a link full of questions costs: packets read, answers to single hosts and answers
 * to come are limited, and a record goes to the group once a second at most.
 *
 * Source: RFC 6762, whose sections are named where they are obeyed.
 */
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { nameKey } from "../../../protocol/dns/dns-name.ts";
import type { DecodedRecord } from "../../../protocol/dns/decode-message.ts";
import { Claim, labelOf } from "./claim.ts";
import { HeldNames } from "./held-names.ts";
import {
  readMdnsMessage,
  writeLegacyResponse,
  writeProbes,
  writeResponses,
  type MdnsQuery,
} from "./mdns-message.ts";
import { MDNS_PORT, toGroup, type Family, type Outgoing, type Sender } from "./outgoing.ts";
import { recordId, type LocalService, type MdnsRecord } from "./service-records.ts";
import { Allowance } from "./allowance.ts";

export interface ResponderOptions {
  /** What is put behind a name that is taken; a DNS label. */
  readonly site: () => string;
  /** Evenly distributed, from 0 to below 1. */
  readonly random: () => number;
  /** Tells that a service has its names now. */
  readonly onHeld: (service: string, label: string) => void;
}

/** Section 8.1: three probes, 250 ms apart, after a random wait of up to as much. */
const PROBES = 3;
const PROBE_GAP_MS = 250;
/** Section 8.3: "at least two unsolicited responses, one second apart". */
const ANNOUNCEMENTS = 2;
const ANNOUNCEMENT_GAP_MS = 1000;
/** Section 8.2: who loses to another probe "defers to the winning host by waiting one second". */
const LOSER_WAIT_MS = 1000;
/** Section 8.1: "fifteen conflicts within any ten-second period" make each further one wait 5 s. */
const MANY_CONFLICTS = 15;
const CONFLICT_PERIOD_MS = 10_000;
const CONFLICT_WAIT_MS = 5000;
/** Labels that are tried; if all are taken, the first is asked for again after a while. */
const MAX_ATTEMPTS = 10;
const GIVE_UP_MS = 60_000;
/** Section 6: between two answers with a record, and for the answer to a probe. */
const REPEAT_MS = 1000;
const PROBED_REPEAT_MS = 250;
/** Section 6: answers with records that others may have, too; and section 7.2, with TC set. */
const SHARED_WAIT_MS = { least: 20, spread: 100 } as const;
const TRUNCATED_WAIT_MS = { least: 400, spread: 100 } as const;
/** Answers that wait; more are not given. */
const MAX_WAITING = 64;
/** Packets a second and at once that are read, and answers to single hosts that are sent. */
const READ = { perSecond: 200, atOnce: 400 } as const;
const DIRECT = { perSecond: 50, atOnce: 100 } as const;

interface Waiting {
  readonly dueMs: number;
  readonly from: Sender;
  readonly answers: MdnsRecord[];
  readonly repeatMs: number;
}

export class MdnsResponder {
  readonly #options: ResponderOptions;
  readonly #claims = new Map<string, Claim>();
  readonly #held = new HeldNames();
  #waiting: Waiting[] = [];
  #conflictsMs: number[] = [];
  readonly #read = new Allowance(READ);
  readonly #direct = new Allowance(DIRECT);

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** What the link is to find from now on. */
  offer(services: readonly LocalService[], nowMs: number): readonly Outgoing[] {
    const wanted = new Map(services.map((service) => [service.name, service]));
    const before = this.#held.all();
    for (const [name, claim] of this.#claims) {
      const service = wanted.get(name);
      if (service === undefined) this.#claims.delete(name);
      else if (!isSame(service, claim.service)) this.#change(claim, service, nowMs);
    }
    for (const service of services) {
      if (!this.#claims.has(service.name)) this.#claim(service, 0, nowMs + this.#probeWait());
    }
    this.#held.take(this.#claims.values());
    const after = new Set(this.#held.all().map(recordId));
    const gone = before.filter((record) => !after.has(recordId(record)));
    return toGroup(writeResponses(gone, [], true));
  }

  /** Section 10.1: takes back all that was said. */
  farewell(): readonly Outgoing[] {
    const gone = this.#held.all();
    this.#claims.clear();
    this.#held.take(this.#claims.values());
    this.#waiting = [];
    return toGroup(writeResponses(gone, [], true));
  }

  /** When {@link wake} has something to do; Infinity: never. */
  get wakeAtMs(): number {
    const due = [...this.#claims.values()].flatMap(({ stage, dueMs }) =>
      stage === "held" ? [] : dueMs,
    );
    return Math.min(...due, ...this.#waiting.map(({ dueMs }) => dueMs));
  }

  wake(nowMs: number): readonly Outgoing[] {
    const out: Outgoing[] = [];
    const due = [...this.#claims.values()].filter(
      ({ stage, dueMs }) => stage !== "held" && dueMs <= nowMs,
    );
    const probing: Claim[] = [];
    for (const claim of due) {
      if (claim.stage === "probing" && claim.sent < PROBES) {
        claim.sent += 1;
        claim.dueMs = nowMs + PROBE_GAP_MS;
        probing.push(claim);
        continue;
      }
      if (claim.stage === "probing") {
        claim.enter("announcing", nowMs);
        this.#held.take(this.#claims.values());
      }
      claim.sent += 1;
      claim.dueMs = nowMs + ANNOUNCEMENT_GAP_MS;
      out.push(...this.#announce(claim, nowMs));
      if (claim.sent < ANNOUNCEMENTS) continue;
      claim.enter("held", nowMs);
      this.#options.onHeld(claim.service.name, claim.label);
    }
    out.push(...toGroup(writeProbes(probing)));
    const ready = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > nowMs);
    for (const { from, answers, repeatMs } of ready) {
      out.push(...this.#toGroup(answers, from.family, repeatMs, nowMs));
    }
    return out;
  }

  /** Takes a packet of the link. @param from - Checked to be on it. */
  receive(bytes: Uint8Array, from: Sender, nowMs: number): readonly Outgoing[] {
    if (!this.#read.take(nowMs)) return [];
    const message = readMdnsMessage(bytes);
    if (message === undefined) return [];
    if (message.kind === "query") return this.#answer(message, from, nowMs);
    // Section 6: "MUST silently ignore any Multicast DNS responses they receive where the source UDP
    // port is not 5353".
    if (from.port === MDNS_PORT) this.#compare(message.records, nowMs);
    return [];
  }

  #answer(query: MdnsQuery, from: Sender, nowMs: number): readonly Outgoing[] {
    const legacy = from.port !== MDNS_PORT;
    if (!legacy) {
      for (const claim of this.#claims.values()) {
        if (claim.stage === "probing" && claim.yieldsTo(query.proposed)) {
          claim.enter("probing", nowMs + LOSER_WAIT_MS);
        }
      }
      if (query.questions.length === 0) this.#forgetKnown(query.known, from);
    }
    const known = legacy ? [] : query.known;
    const direct = new Map<string, MdnsRecord>();
    const group = new Map<string, MdnsRecord>();
    for (const question of query.questions) {
      for (const record of this.#held.found(question)) {
        if (isKnown(record, known) || (legacy && record.type === TYPE.NSEC)) continue;
        const alone = legacy || (question.unicast && this.#wasSaidLately(record, from, nowMs));
        (alone ? direct : group).set(recordId(record), record);
      }
    }
    const out: Outgoing[] = [];
    if (direct.size > 0 && this.#direct.take(nowMs)) {
      const answers = [...direct.values()];
      const packets = legacy
        ? [writeLegacyResponse(query, answers)]
        : writeResponses(answers, this.#held.extra(answers));
      for (const bytes of packets) if (bytes !== undefined) out.push({ bytes, to: from });
    }
    const answers = [...group.values()];
    if (answers.length === 0) return out;
    const repeatMs = query.proposed.length > 0 ? PROBED_REPEAT_MS : REPEAT_MS;
    const wait = this.#wait(query, answers);
    if (wait === 0) return [...out, ...this.#toGroup(answers, from.family, repeatMs, nowMs)];
    if (this.#waiting.length < MAX_WAITING) {
      this.#waiting.push({ dueMs: nowMs + wait, from, answers, repeatMs });
    }
    return out;
  }

  #wait({ truncated }: MdnsQuery, answers: readonly MdnsRecord[]): number {
    const unique = answers.every((record) => record.unique);
    if (unique && !truncated) return 0;
    const { least, spread } = truncated ? TRUNCATED_WAIT_MS : SHARED_WAIT_MS;
    return least + this.#options.random() * spread;
  }

  /** Section 7.2: what more known answers of the same host leave of those that wait. */
  #forgetKnown(known: readonly DecodedRecord[], from: Sender): void {
    for (const { from: asker, answers } of this.#waiting) {
      if (asker.address !== from.address || asker.port !== from.port) continue;
      const left = answers.filter((record) => !isKnown(record, known));
      answers.splice(0, answers.length, ...left);
    }
  }

  /** Section 5.4: within a quarter of its TTL the caches of the link have it. */
  #wasSaidLately(record: MdnsRecord, { family }: Sender, nowMs: number): boolean {
    return this.#held.ageMs(record, family, nowMs) < (record.ttlSeconds * 1000) / 4;
  }

  #toGroup(
    answers: readonly MdnsRecord[],
    family: Family,
    repeatMs: number,
    nowMs: number,
  ): readonly Outgoing[] {
    const due = answers.filter((record) => this.#held.ageMs(record, family, nowMs) >= repeatMs);
    this.#held.say(due, [family], nowMs);
    const packets = writeResponses(due, this.#held.extra(due));
    return packets.map((bytes) => ({ bytes, to: { group: family } }));
  }

  #announce({ records }: Claim, nowMs: number): readonly Outgoing[] {
    // As they are held: of two equal pointers one stands for both.
    const own = new Set(records.map(recordId));
    const said = this.#held.all().filter((record) => own.has(recordId(record)));
    this.#held.say(said, [4, 6], nowMs);
    return toGroup(writeResponses(said));
  }

  /** Looks for records of others that cannot stand beside ours. */
  #compare(records: readonly DecodedRecord[], nowMs: number): void {
    for (const claim of this.#claims.values()) {
      if (!records.some((record) => claim.contradicts(record))) continue;
      this.#conflictsMs = this.#conflictsMs.filter((ms) => nowMs - ms < CONFLICT_PERIOD_MS);
      const many = this.#conflictsMs.length >= MANY_CONFLICTS;
      if (!many) this.#conflictsMs.push(nowMs);
      const dueMs = nowMs + (many ? CONFLICT_WAIT_MS : this.#probeWait());
      // Section 9: who held it asks again; who was there first then says so.
      if (claim.stage !== "probing") claim.enter("probing", dueMs);
      else this.#claim(claim.service, claim.attempt + 1, dueMs);
    }
    this.#held.take(this.#claims.values());
  }

  #change(claim: Claim, service: LocalService, nowMs: number): void {
    const next = new Claim(service, claim.label, claim.attempt, nowMs);
    const sameNames = [...next.unique.keys()].every((key) => claim.unique.has(key));
    // Section 8.4: other data of names that are held are announced, not asked for.
    if (claim.stage !== "probing" && sameNames) next.enter("announcing", nowMs);
    this.#claims.set(service.name, next);
  }

  #claim(service: LocalService, attempt: number, dueMs: number): void {
    const taken = new Set(
      [...this.#claims].flatMap(([name, { label }]) => (name === service.name ? [] : label)),
    );
    const site = this.#options.site();
    let next = attempt;
    while (next < MAX_ATTEMPTS && taken.has(labelOf(service.name, site, next))) next += 1;
    const claim =
      next < MAX_ATTEMPTS
        ? new Claim(service, labelOf(service.name, site, next), next, dueMs)
        : new Claim(service, labelOf(service.name, site, 0), 0, dueMs + GIVE_UP_MS);
    this.#claims.set(service.name, claim);
  }

  #probeWait(): number {
    return this.#options.random() * PROBE_GAP_MS;
  }
}

/** Section 7.1: an asker that has it for half of its life or longer is not told again. */
function isKnown(record: MdnsRecord, known: readonly DecodedRecord[]): boolean {
  return known.some(
    (each) =>
      each.type === record.type &&
      each.ttl >= record.ttlSeconds / 2 &&
      nameKey(each.owner) === record.key &&
      Buffer.compare(each.rdata, record.rdata) === 0,
  );
}

function isSame(a: LocalService, b: LocalService): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
