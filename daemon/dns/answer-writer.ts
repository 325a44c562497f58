/**
 * The bytes of an answer: header, question, sections, and the OPT record behind them.
 *
 * One message at a time, in memory that the next one overwrites. What is to be answered is decided
 * elsewhere.
 *
 * Source: RFC 1035 section 4.1, RFC 2181 section 9 (truncation), RFC 6891, RFC 8482 (ANY), RFC 9471 (glue).
 */
import { RCODE } from "../../protocol/dns/dns-code.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from "../../protocol/dns/message.ts";
import { MessageWriter } from "../../protocol/dns/message-writer.ts";
import type { Answer } from "./answer-sections.ts";
import type { Carrier } from "./client.ts";
import { OptionWriter, UDP_BYTES, type Edns } from "./edns.ts";
import { putTail, type NegativeTail } from "./negative-tail.ts";
import { adapt } from "./prepared-answers.ts";
import type { Question } from "./query.ts";

const FLAG_RESPONSE = 0x80;
const FLAG_AUTHORITATIVE = 0x04;
const FLAG_TRUNCATED = 0x02;
const FLAG_RECURSION_AVAILABLE = 0x80;
const FLAG_CHECKING_DISABLED = 0x10;

interface Bare {
  readonly rcode: number;
  readonly question: Question | undefined;
  readonly edns: Edns | undefined;
  readonly truncated?: boolean;
}

export class AnswerWriter {
  /** Whether the answer goes to somebody who may ask for names of others. */
  recurses = false;
  /** Of the OPT record. */
  readonly options = new OptionWriter();
  readonly #buffer = new Uint8Array(MAX_MESSAGE_BYTES);
  readonly #writer = new MessageWriter(this.#buffer);

  /** What is written so far, without an OPT record. */
  get body(): Uint8Array {
    return this.#buffer.subarray(0, this.#writer.size);
  }

  /** A header with a code and, where it was readable, the question. */
  bare(packet: Uint8Array, { rcode, question, edns, truncated = false }: Bare): Uint8Array {
    this.#start(packet, question, MAX_MESSAGE_BYTES);
    this.#finish(rcode, false, truncated, [0, 0, 0]);
    return this.close(edns, rcode);
  }

  /** A kept answer once more. */
  again(
    packet: Uint8Array,
    kept: Uint8Array,
    question: Question,
    edns: Edns | undefined,
  ): Uint8Array {
    this.#writer.reset(MAX_MESSAGE_BYTES, kept);
    adapt(this.#buffer, packet, question);
    const low = (this.#buffer[3] ?? 0) & ~FLAG_RECURSION_AVAILABLE;
    this.#buffer[3] = low | (this.recurses ? FLAG_RECURSION_AVAILABLE : 0);
    return this.close(edns, RCODE.NOERROR);
  }

  /** A negative answer whose end is ready; {@link close} has to follow. */
  deny(
    packet: Uint8Array,
    question: Question,
    tail: NegativeTail,
    { rcode, authoritative }: Pick<Answer, "rcode" | "authoritative">,
  ): void {
    this.#start(packet, question, MAX_MESSAGE_BYTES);
    this.#writer.advance(putTail(this.#buffer, question.end, tail, question.name.length));
    this.#finish(rcode, authoritative, false, [0, 1, 0]);
  }

  /**
   * Writes an answer; {@link close} has to follow.
   *
   * @param limit - What it may take without its OPT record, in bytes.
   * @returns "part": only what may be missing is; "cut": something else had no room.
   */
  write(
    packet: Uint8Array,
    question: Question,
    answer: Answer,
    limit: number,
    carrier: Carrier,
  ): "whole" | "part" | "cut" {
    this.#start(packet, question, limit);
    this.#writer.knowName(question.name, HEADER_BYTES);
    const start = this.#writer.size;
    const counts: [number, number, number] = [0, 0, 0];
    const filled = this.#fill(answer, question, carrier, counts);
    if (filled === "cut") {
      // Nothing that could be taken for the whole answer stays.
      this.#writer.rollback(start);
      this.#finish(answer.rcode, answer.authoritative, true, [0, 0, 0]);
    } else this.#finish(answer.rcode, answer.authoritative, false, counts);
    return filled;
  }

  #fill(
    answer: Answer,
    question: Question,
    carrier: Carrier,
    counts: [number, number, number],
  ): "whole" | "part" | "cut" {
    // RFC 8482 section 4.1: over UDP one set is enough for ANY.
    const one = question.type === TYPE.ANY && carrier === "udp";
    for (const { owner, rrset } of one ? answer.answer.slice(0, 1) : answer.answer) {
      if (!this.#writer.writeSet(owner, rrset)) return "cut";
      counts[0] += rrset.rdata.length;
    }
    for (const { owner, rrset } of answer.authority) {
      if (!this.#writer.writeSet(owner, rrset)) return "cut";
      counts[1] += rrset.rdata.length;
    }
    let isWhole = true;
    for (const { owner, rrset, required } of answer.additional) {
      if (this.#writer.writeSet(owner, rrset)) counts[2] += rrset.rdata.length;
      else if (required) return "cut";
      else isWhole = false;
    }
    return isWhole ? "whole" : "part";
  }

  #start(packet: Uint8Array, question: Question | undefined, limit: number): void {
    this.#writer.reset(limit, packet.subarray(0, question?.end ?? HEADER_BYTES));
    this.#buffer.fill(0, 4, HEADER_BYTES);
    this.#buffer[5] = question === undefined ? 0 : 1;
  }

  #finish(
    rcode: number,
    authoritative: boolean,
    truncated: boolean,
    counts: readonly [number, number, number],
  ): void {
    const head = this.#buffer;
    let flags = FLAG_RESPONSE | ((head[2] ?? 0) & 0x79); // opcode and RD are copied
    if (authoritative) flags |= FLAG_AUTHORITATIVE;
    if (truncated) flags |= FLAG_TRUNCATED;
    head[2] = flags;
    const available = this.recurses ? FLAG_RECURSION_AVAILABLE : 0;
    head[3] = available | ((head[3] ?? 0) & FLAG_CHECKING_DISABLED) | (rcode & 15);
    for (const [index, count] of counts.entries()) {
      head[6 + index * 2] = count >> 8;
      head[7 + index * 2] = count & 255;
    }
  }

  /** RFC 6891 section 6.1.1: an OPT record in the answer to one, and only then. */
  close(edns: Edns | undefined, rcode: number): Uint8Array {
    if (edns !== undefined) {
      this.#writer.writeOpt(UDP_BYTES, rcode, edns.dnssecOk, this.options.bytes);
      const count = (((this.#buffer[10] ?? 0) << 8) | (this.#buffer[11] ?? 0)) + 1;
      this.#buffer[10] = count >> 8;
      this.#buffer[11] = count & 255;
    }
    return this.#buffer.subarray(0, this.#writer.size);
  }
}
