/**
 * Answers as ready bytes, for questions that come again.
 *
 * Belongs to one version of the zones and dies with it. What is kept is the whole answer without
 * its OPT record, so it serves everybody whom it fits; only answers whose number the zones bound
 * are kept: of names that exist as asked, with records of the type or without for the few types
 * that everybody asks. So a flood of invented names fills nothing.
 */
import { HEADER_BYTES } from "../../protocol/dns/message.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { perView, ZONE_VIEWS, type PerView, type ZoneView } from "../../protocol/dns/zone-view.ts";
import { RCODE } from "../../protocol/dns/dns-code.ts";
import type { Answer } from "./answer-sections.ts";
import { UDP_BYTES } from "./edns.ts";
import type { Question } from "./query.ts";

/** A stop for memory in each view, that zones of any size stay below in practice: 16 MiB of 1 kB. */
const MAX_KEPT = 16_384;

/** A longer one goes out by TCP only, where the time for it matters less than the memory. */
const MAX_KEPT_BYTES = UDP_BYTES;

/** Asked for every name by browsers and resolvers, so an empty answer is worth keeping. */
const ASKED_ANYWAY: ReadonlySet<number> = new Set<number>([TYPE.A, TYPE.AAAA, TYPE.HTTPS]);

export class PreparedAnswers {
  readonly #kept: PerView<Map<string, Uint8Array>> = perView(() => new Map());
  readonly #cut: PerView<Map<string, { readonly bytes: Uint8Array; readonly limit: number }>> =
    perView(() => new Map());

  get size(): number {
    return ZONE_VIEWS.reduce((sum, view) => sum + this.#kept[view].size, 0);
  }

  /** What is said instead where an earlier answer to the same had no more room, and had too little. */
  findCut(
    packet: Uint8Array,
    question: Question,
    view: ZoneView,
    limit: number,
  ): Uint8Array | undefined {
    const cut = this.#cut[view].get(keyOf(packet, question));
    return cut !== undefined && limit <= cut.limit ? cut.bytes : undefined;
  }

  /**
   * Long sets are asked for by UDP again and again, and take the longest to find that they do not fit.
   *
   * @param bytes - The message without records, with TC, up to its OPT record.
   * @param limit - What the whole answer had no room in, in bytes.
   */
  keepCut(
    bytes: Uint8Array,
    question: Question,
    answer: Answer,
    { view, limit }: { readonly view: ZoneView; readonly limit: number },
  ): void {
    const cut = this.#cut[view];
    if (!isBounded(answer, question) || cut.size >= MAX_KEPT) return;
    cut.set(keyOf(bytes, question), { bytes: bytes.slice(), limit });
  }

  /** The whole answer to an earlier question of the same name and type, without OPT. */
  find(packet: Uint8Array, question: Question, view: ZoneView): Uint8Array | undefined {
    return this.#kept[view].get(keyOf(packet, question));
  }

  /**
   * @param bytes - The message up to its OPT record.
   * @param answer - What it was made of; all of it stands in the bytes.
   */
  keep(bytes: Uint8Array, question: Question, answer: Answer, view: ZoneView): void {
    const kept = this.#kept[view];
    if (bytes.length > MAX_KEPT_BYTES) return;
    if (!isBounded(answer, question) || kept.size >= MAX_KEPT) return;
    kept.set(keyOf(bytes, question), bytes.slice());
  }
}

/**
 * Makes kept bytes the answer to a packet: its id, its RD and CD bits, its spelling of the name.
 * The compressed owners all point at that.
 */
export function adapt(bytes: Uint8Array, packet: Uint8Array, question: Question): void {
  bytes[0] = packet[0] ?? 0;
  bytes[1] = packet[1] ?? 0;
  bytes[2] = ((bytes[2] ?? 0) & 0xfe) | ((packet[2] ?? 0) & 1);
  bytes[3] = ((bytes[3] ?? 0) & 0xef) | ((packet[3] ?? 0) & 0x10);
  for (let at = HEADER_BYTES; at < question.end; at++) bytes[at] = packet[at] ?? 0;
}

/** Name, type and class, in lower case. Bytes above the letters' are left alone. */
function keyOf(packet: Uint8Array, question: Question): string {
  const end = question.end;
  const view = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  const nameEnd = end - 4;
  for (let at = HEADER_BYTES; at < nameEnd; at++) {
    const byte = packet[at] ?? 0;
    if (byte >= 0x41 && byte <= 0x5a) return lowered(view, nameEnd, end);
  }
  return view.toString("latin1", HEADER_BYTES, end);
}

function lowered(view: Buffer, nameEnd: number, end: number): string {
  const name = view
    .toString("latin1", HEADER_BYTES, nameEnd)
    .replace(/[A-Z]/g, (c) => c.toLowerCase());
  return name + view.toString("latin1", nameEnd, end);
}

function isBounded({ rcode, answer, zone, synthesized }: Answer, question: Question): boolean {
  // ANY is answered by one set over UDP and by all over TCP.
  if (rcode !== RCODE.NOERROR || zone === undefined || synthesized) return false;
  if (question.type === TYPE.ANY) return false;
  return answer.length > 0 || ASKED_ANYWAY.has(question.type);
}
