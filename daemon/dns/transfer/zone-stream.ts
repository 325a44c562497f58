/**
 * The messages of a zone transfer.
 *
 * What a view shows is taken down when the first message is made, so the transfer is of one moment
 * however long it takes, and its first and last record are the same SOA.
 *
 * Source: RFC 5936 section 2.2 and 3.
 */
import { storedSets, type RRset, type Zone } from "../../core/zones/zone.ts";
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import { CLASS } from "../../../protocol/dns/dns-code.ts";
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import { HEADER_BYTES, MAX_MESSAGE_BYTES, type DnsRecord } from "../../../protocol/dns/message.ts";
import { PLAIN_OPT } from "../bare-answer.ts";
import { MessageWriter } from "../../../protocol/dns/message-writer.ts";

/**
 * A message is closed from this size on: pointers reach no further (RFC 1035 section 4.1.4), so a
 * larger one would only be compressed worse. One with a longer record is as long as that.
 */
const FULL_BYTES = 16_384;
const NOTHING = new Uint8Array();

export interface StreamOptions {
  /** The question's own name and type, which the first message repeats. */
  readonly question: { readonly name: DnsName; readonly type: number };
  readonly id: number;
  /** Room that each message leaves for a signature. */
  readonly reserveBytes: number;
  /** Whether the first message carries an OPT record, as the question does. */
  readonly edns: boolean;
}

/** Unsigned messages, in order: none when the zone is not in the view. */
export function* zoneStream(
  zone: Zone,
  view: ZoneView,
  options: StreamOptions,
): Generator<Uint8Array> {
  const frozen = { soa: zone.soa, names: [...zone.names.values()] };
  const soa = frozen.soa[view];
  if (soa === undefined) return;
  const bytes = new Uint8Array(MAX_MESSAGE_BYTES);
  const writer = new MessageWriter(bytes);
  const limit = MAX_MESSAGE_BYTES - options.reserveBytes - PLAIN_OPT.length;
  let count = 0;
  const start = (withQuestion: boolean): void => {
    count = 0;
    writer.reset(limit, headerOf(options.id, withQuestion));
    if (withQuestion) writer.writeQuestion(options.question.name, options.question.type, CLASS.IN);
  };
  let opt = options.edns ? PLAIN_OPT : NOTHING;
  const finish = (): Uint8Array => {
    bytes[6] = count >> 8;
    bytes[7] = count & 255;
    bytes[11] = opt.length > 0 ? 1 : 0;
    const message = Uint8Array.from(Buffer.concat([bytes.subarray(0, writer.size), opt]));
    opt = NOTHING;
    return message;
  };
  start(true);
  for (const record of transferOrder(soa, storedSets(frozen, view))) {
    if (count > 0 && writer.size >= FULL_BYTES) {
      yield finish();
      start(false);
    }
    if (!writer.writeRecord(record)) {
      yield finish();
      start(false);
      // RFC 1035: data of at most 65,535 bytes with an owner before them always fit, but for a
      // record that the state could not hold either.
      if (!writer.writeRecord(record)) throw new RangeError("a record larger than a message");
    }
    count += 1;
  }
  yield finish();
}

/** A message with the SOA alone: nothing newer, or over UDP "ask by TCP" (RFC 1995 section 2). */
export function soaMessage(soa: RRset, options: StreamOptions): Uint8Array {
  const bytes = new Uint8Array(MAX_MESSAGE_BYTES);
  const writer = new MessageWriter(bytes);
  writer.reset(bytes.length, headerOf(options.id, true));
  writer.writeQuestion(options.question.name, options.question.type, CLASS.IN);
  for (const record of recordsOf(soa)) writer.writeRecord(record);
  bytes[7] = 1;
  bytes[11] = options.edns ? 1 : 0;
  const opt = options.edns ? PLAIN_OPT : NOTHING;
  return Uint8Array.from(Buffer.concat([bytes.subarray(0, writer.size), opt]));
}

/** @param sets - The SOA first. */
function* transferOrder(soa: RRset, sets: Iterable<RRset>): Generator<DnsRecord> {
  for (const rrset of sets) yield* recordsOf(rrset);
  yield* recordsOf(soa);
}

function* recordsOf({ owner, type, ttl, rdata }: RRset): Generator<DnsRecord> {
  for (const data of rdata) yield { owner, type, class: CLASS.IN, ttl, rdata: data };
}

/** An authoritative answer (RFC 5936 section 2.2.1). */
function headerOf(id: number, withQuestion: boolean): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header.set([id >> 8, id & 255, 0x84, 0, 0, withQuestion ? 1 : 0]);
  return header;
}
