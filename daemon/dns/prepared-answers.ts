/**
 * Answers as ready bytes, for questions that come again.
 *
 * Belongs to one version of the zones and dies with it. Only answers whose number the zones bound
 * are kept: of names that exist as asked, with records of the type or without for the few types
 * that everybody asks. So a flood of invented names fills nothing.
 */
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { RCODE } from "../../protocol/dns/dns-code.ts";
import type { Answer } from "./answer-sections.ts";
import type { Edns, Question } from "./query.ts";
import { HEADER_BYTES } from "./query.ts";

/** A stop for memory that zones of any size stay below in practice: 16 MiB of 1 kB answers. */
const MAX_KEPT = 16_384;

/** Asked for every name by browsers and resolvers, so an empty answer is worth keeping. */
const ASKED_ANYWAY: ReadonlySet<number> = new Set<number>([TYPE.A, TYPE.AAAA, TYPE.HTTPS]);

type Variant = "plain" | "small" | "full";

export class PreparedAnswers {
  readonly #kept: Readonly<Record<Variant, Map<string, Uint8Array>>> = {
    plain: new Map(),
    small: new Map(),
    full: new Map(),
  };

  get size(): number {
    return this.#kept.plain.size + this.#kept.small.size + this.#kept.full.size;
  }

  /** A copy of a kept answer, made the answer to this packet. */
  find(
    packet: Uint8Array,
    question: Question,
    edns: Edns | undefined,
    carrier: "udp" | "tcp",
  ): Uint8Array | undefined {
    const variant = variantOf(edns, carrier);
    if (variant === undefined) return undefined;
    const kept = this.#kept[variant].get(keyOf(packet, question));
    if (kept === undefined) return undefined;
    const bytes = kept.slice();
    bytes[0] = packet[0] ?? 0;
    bytes[1] = packet[1] ?? 0;
    bytes[2] = ((bytes[2] ?? 0) & 0xfe) | ((packet[2] ?? 0) & 1);
    bytes[3] = ((bytes[3] ?? 0) & 0xef) | ((packet[3] ?? 0) & 0x10);
    // Same length, and every compressed owner points here: the asker sees its own spelling.
    bytes.set(packet.subarray(HEADER_BYTES, question.end), HEADER_BYTES);
    if (edns !== undefined) {
      // The OPT record has no options and ends the message: DO is the top bit of 4 bytes back.
      const at = bytes.length - 4;
      bytes[at] = edns.dnssecOk ? 0x80 : 0;
    }
    return bytes;
  }

  keep(
    bytes: Uint8Array,
    question: Question,
    edns: Edns | undefined,
    carrier: "udp" | "tcp",
    answer: Answer,
  ): void {
    const variant = variantOf(edns, carrier);
    if (variant === undefined || !isBounded(answer, question)) return;
    const kept = this.#kept[variant];
    if (kept.size < MAX_KEPT) kept.set(keyOf(bytes, question), bytes.slice());
  }
}

/** Size limits that clients use; other answers are made each time. */
function variantOf(edns: Edns | undefined, carrier: "udp" | "tcp"): Variant | undefined {
  if (carrier === "tcp" || edns?.nsid === true) return undefined;
  if (edns === undefined) return "plain";
  if (edns.udpBytes >= 1232) return "full";
  return edns.udpBytes === 512 ? "small" : undefined;
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
  if (rcode !== RCODE.NOERROR || zone === undefined || synthesized) return false;
  return answer.length > 0 || ASKED_ANYWAY.has(question.type);
}
