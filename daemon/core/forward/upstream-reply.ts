/**
 * Takes from an answer of another server what answers the question, and drops the rest.
 *
 * Kept are the aliases that lead on from the asked name, the records at their end, of the authority
 * section the SOA record of a zone that the last name stands in, and with DO the proofs. The
 * additional section is never looked at but for its OPT record, so nothing can be slipped in by it.
 *
 * Source: RFC 2181 section 5.4.1, RFC 2308 sections 2 and 5, RFC 4035 section 3.2, RFC 6604.
 */
import { CLASS, RCODE } from "../../../protocol/dns/dns-code.ts";
import { isWithin, nameKey, readDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { MAX_TTL_SECONDS } from "../../../protocol/dns/dns-ttl.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { DnsMessage, DnsRecord } from "../../../protocol/dns/message.ts";
import type { RRset } from "../zones/zone.ts";
import type { Asked, Resolution } from "./resolution.ts";

/** As many as the zones here are followed for. */
const MAX_ALIASES = 16;
/** RFC 8914. */
const ERROR_OPTION = 15;
/** The five numbers at the end of a SOA record; the last one is MINIMUM. */
const SOA_NUMBERS_BYTES = 20;

export interface UpstreamFailure {
  readonly rcode: number;
  /** RFC 8914, as the upstream has said. */
  readonly error: number | undefined;
}

/** "failed": the upstream is there and has no answer; what it says of it. */
export type UpstreamReply =
  | { readonly kind: "resolved"; readonly resolution: Resolution }
  | ({ readonly kind: "failed" } & UpstreamFailure);

/**
 * @param message - Its question was compared with the one that was sent.
 * @param trusted - Nobody between here and the upstream can have changed it: AD is worth something.
 */
export function readReply(message: DnsMessage, asked: Asked, trusted: boolean): UpstreamReply {
  const { rcode, error } = readOpt(message);
  const failed = (code: number): UpstreamReply => ({ kind: "failed", rcode: code, error });
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN && rcode !== RCODE.YXDOMAIN) {
    return failed(rcode);
  }
  const chain = followAliases(message.answers, asked);
  if (chain === undefined) return failed(RCODE.SERVFAIL);
  const soa = chain.isComplete ? undefined : findSoa(message.authorities, chain.last);
  // A server that does not resolve leads to another one, which nobody here follows.
  const isReferral = message.authorities.some(({ type }) => type === TYPE.NS);
  const isEmpty = rcode === RCODE.NOERROR && !chain.isComplete && soa === undefined;
  if (isEmpty && isReferral && !message.authoritative) return failed(RCODE.SERVFAIL);
  const proofs = asked.dnssecOk ? message.authorities.filter(isProof) : [];
  const authorities = [...(soa === undefined ? [] : [soa]), ...proofs];
  const resolution: Resolution = {
    rcode,
    answers: setsOf(chain.records),
    authorities: setsOf(authorities),
    authenticated: trusted && message.authenticData,
    error: undefined,
  };
  return { kind: "resolved", resolution };
}

interface Chain {
  readonly records: readonly DnsRecord[];
  /** The name that the aliases end at. */
  readonly last: DnsName;
  /** There are records of the asked type at it. */
  readonly isComplete: boolean;
}

/** Undefined: the aliases lead in a circle, or through more names than anybody means. */
function followAliases(answers: readonly DnsRecord[], asked: Asked): Chain | undefined {
  const byOwner = new Map<string, DnsRecord[]>();
  const redirections: DnsRecord[] = [];
  for (const record of answers) {
    if (record.class !== CLASS.IN) continue;
    const key = nameKey(record.owner);
    const known = byOwner.get(key);
    if (known === undefined) byOwner.set(key, [record]);
    else known.push(record);
    if (record.type === TYPE.DNAME) redirections.push(record);
  }
  const records = new Set<DnsRecord>();
  const seen = new Set<string>();
  for (let name = asked.name; ;) {
    const key = nameKey(name);
    if (seen.has(key) || seen.size > MAX_ALIASES) return undefined;
    seen.add(key);
    const own = byOwner.get(key) ?? [];
    const wanted = own.filter(({ type }) => type === asked.type || asked.type === TYPE.ANY);
    for (const record of wanted) records.add(record);
    if (wanted.length > 0) {
      if (asked.dnssecOk) addSignatures(records, own, asked.type);
      return { records: [...records], last: name, isComplete: true };
    }
    const alias = own.find(({ type }) => type === TYPE.CNAME);
    const target = alias === undefined ? undefined : readDnsName(alias.rdata, 0);
    if (alias === undefined || target === undefined) {
      return { records: [...records], last: name, isComplete: false };
    }
    for (const redirection of redirections) {
      if (!isWithin(name, redirection.owner)) continue;
      records.add(redirection);
      const beside = byOwner.get(nameKey(redirection.owner)) ?? [];
      if (asked.dnssecOk) addSignatures(records, beside, TYPE.DNAME);
    }
    records.add(alias);
    if (asked.dnssecOk) addSignatures(records, own, TYPE.CNAME);
    name = target;
  }
}

function addSignatures(records: Set<DnsRecord>, own: readonly DnsRecord[], type: number): void {
  for (const record of own) {
    if (record.type === TYPE.RRSIG && readU16(record.rdata, 0) === type) records.add(record);
  }
}

/** The SOA record of a zone that holds the name, with the TTL that the negative answer has. */
function findSoa(authorities: readonly DnsRecord[], name: DnsName): DnsRecord | undefined {
  const soa = authorities.find(
    (record) =>
      record.type === TYPE.SOA &&
      record.class === CLASS.IN &&
      record.rdata.length >= SOA_NUMBERS_BYTES + 2 &&
      isWithin(name, record.owner),
  );
  if (soa === undefined) return undefined;
  // RFC 2308 section 3: "the minimum of the MINIMUM field of the SOA record and the TTL".
  const minimum = Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 4);
  return { ...soa, ttl: Math.min(soundTtl(soa.ttl), minimum) };
}

function isProof({ type, class: recordClass, rdata }: DnsRecord): boolean {
  if (recordClass !== CLASS.IN) return false;
  const about = type === TYPE.RRSIG ? readU16(rdata, 0) : type;
  return about === TYPE.NSEC || about === TYPE.NSEC3 || (about === TYPE.SOA && type === TYPE.RRSIG);
}

/** RFC 2181 section 8: a TTL with the highest bit set is 0. */
function soundTtl(ttl: number): number {
  return ttl > MAX_TTL_SECONDS ? 0 : ttl;
}

/** Records of one owner and type as one set, with the least TTL (RFC 2181 section 5.2). */
function setsOf(records: readonly DnsRecord[]): readonly RRset[] {
  const sets = new Map<
    string,
    { owner: DnsName; type: number; ttl: number; rdata: Uint8Array[] }
  >();
  for (const { owner, type, ttl, rdata } of records) {
    const covered = type === TYPE.RRSIG ? readU16(rdata, 0) : 0;
    const key = `${type} ${covered} ${nameKey(owner)}`;
    const set = sets.get(key);
    if (set === undefined) sets.set(key, { owner, type, ttl: soundTtl(ttl), rdata: [rdata] });
    else {
      set.ttl = Math.min(set.ttl, soundTtl(ttl));
      set.rdata.push(rdata);
    }
  }
  return [...sets.values()];
}

/** The whole code, and the first error of RFC 8914. */
function readOpt({ rcode, additionals }: DnsMessage): UpstreamFailure {
  const opt = additionals.find(({ type }) => type === TYPE.OPT);
  if (opt === undefined) return { rcode, error: undefined };
  let error: number | undefined;
  for (let at = 0; at + 6 <= opt.rdata.length && error === undefined;) {
    const size = readU16(opt.rdata, at + 2);
    if (readU16(opt.rdata, at) === ERROR_OPTION && size >= 2) error = readU16(opt.rdata, at + 4);
    at += 4 + size;
  }
  return { rcode: (opt.ttl >>> 24) * 16 + rcode, error };
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
