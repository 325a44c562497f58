/**
 * From a packet to the packet that answers it.
 *
 * One responder serves UDP and TCP of one set of zones; it knows no sockets. Answers to names that
 * stand in a zone as they are, are kept as bytes: the next question for the same is answered by a
 * copy with the id, the copied flags and the asker's own spelling of the name put in.
 *
 * Source: RFC 1035 section 4.1, RFC 2181 section 9 (truncation), RFC 6891, RFC 8482, RFC 9471.
 */
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { answerQuestion } from "./answer.ts";
import { RCODE } from "../../protocol/dns/dns-code.ts";
import type { Answer } from "./answer-sections.ts";
import { MessageWriter } from "../../protocol/dns/message-writer.ts";
import { PreparedAnswers } from "./prepared-answers.ts";
import { HEADER_BYTES, MIN_UDP_BYTES, readQuery, type Edns, type Question } from "./query.ts";
import type { ZoneTree } from "./zone-tree.ts";

/** What we say we receive, and the most that we send over UDP (RFC 9715: no fragments). */
export const UDP_BYTES = 1232;
const TCP_BYTES = 65_535;
const CLASS_IN = 1;
const OPT_BYTES = 11;
const OPTION_NSID = 3;

const FLAG_RESPONSE = 0x80;
const FLAG_AUTHORITATIVE = 0x04;
const FLAG_TRUNCATED = 0x02;
const FLAG_CHECKING_DISABLED = 0x10;

export type Carrier = "udp" | "tcp";

export class Responder {
  readonly #tree: ZoneTree;
  readonly #nsid: Uint8Array;
  readonly #prepared = new PreparedAnswers();
  readonly #buffer = new Uint8Array(TCP_BYTES);
  readonly #writer = new MessageWriter(this.#buffer);

  /** @param siteName - What NSID tells: which node answered. At most 255 bytes are used. */
  constructor(tree: ZoneTree, siteName: string) {
    this.#tree = tree;
    const name = Buffer.from(siteName).subarray(0, 255);
    this.#nsid = Uint8Array.of(0, OPTION_NSID, 0, name.length, ...name);
  }

  /** How many answers are kept as bytes. */
  get preparedCount(): number {
    return this.#prepared.size;
  }

  /** The answer as bytes of its own, or undefined for packets that get none. */
  respond(packet: Uint8Array, carrier: Carrier): Uint8Array | undefined {
    const query = readQuery(packet);
    if (query.kind === "silence") return undefined;
    if (query.kind === "refusal") {
      return this.#bare(packet, query.rcode, query.echo, query.edns);
    }
    const { question, edns } = query;
    const refusal = refusalOf(question, carrier);
    if (refusal !== undefined) return this.#bare(packet, refusal, question, edns);
    const kept = this.#prepared.find(packet, question, edns, carrier);
    if (kept !== undefined) return kept;
    const answer = answerQuestion(this.#tree, question.name, question.type);
    const bytes = this.#write(packet, question, edns, answer, carrier);
    this.#prepared.keep(bytes, question, edns, carrier, answer);
    return bytes;
  }

  /** A header with a code and, where it was readable, the question. */
  #bare(
    packet: Uint8Array,
    rcode: number,
    echo: Question | undefined,
    edns: Edns | undefined,
  ): Uint8Array {
    this.#start(packet, echo, TCP_BYTES);
    this.#finish(rcode, false, false, [0, 0, 0], edns);
    return this.#take();
  }

  #write(
    packet: Uint8Array,
    question: Question,
    edns: Edns | undefined,
    answer: Answer,
    carrier: Carrier,
  ): Uint8Array {
    const limit = carrier === "tcp" ? TCP_BYTES : udpLimit(edns);
    this.#start(packet, question, limit - optBytes(edns, this.#nsid));
    this.#writer.knowName(question.name, HEADER_BYTES);
    const start = this.#writer.size;
    const counts: [number, number, number] = [0, 0, 0];
    if (!this.#fill(answer, question, carrier, counts)) {
      // Nothing that could be taken for the whole answer stays.
      this.#writer.rollback(start);
      this.#finish(answer.rcode, answer.authoritative, true, [0, 0, 0], edns);
    } else this.#finish(answer.rcode, answer.authoritative, false, counts, edns);
    return this.#take();
  }

  /** Writes the sections; false when something that may not be missing has no room. */
  #fill(
    answer: Answer,
    question: Question,
    carrier: Carrier,
    counts: [number, number, number],
  ): boolean {
    // RFC 8482 section 4.1: over UDP one set is enough for ANY.
    const one = question.type === TYPE.ANY && carrier === "udp";
    for (const { owner, rrset } of one ? answer.answer.slice(0, 1) : answer.answer) {
      if (!this.#writer.writeSet(owner, rrset)) return false;
      counts[0] += rrset.rdata.length;
    }
    for (const { owner, rrset } of answer.authority) {
      if (!this.#writer.writeSet(owner, rrset)) return false;
      counts[1] += rrset.rdata.length;
    }
    for (const { owner, rrset, required } of answer.additional) {
      if (this.#writer.writeSet(owner, rrset)) counts[2] += rrset.rdata.length;
      else if (required) return false;
    }
    return true;
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
    edns: Edns | undefined,
  ): void {
    const head = this.#buffer;
    let flags = FLAG_RESPONSE | ((head[2] ?? 0) & 0x79); // opcode and RD are copied
    if (authoritative) flags |= FLAG_AUTHORITATIVE;
    if (truncated) flags |= FLAG_TRUNCATED;
    head[2] = flags;
    head[3] = ((head[3] ?? 0) & FLAG_CHECKING_DISABLED) | (rcode & 15);
    const additional = counts[2] + (edns === undefined ? 0 : 1);
    for (const [index, count] of [counts[0], counts[1], additional].entries()) {
      head[6 + index * 2] = count >> 8;
      head[7 + index * 2] = count & 255;
    }
    if (edns === undefined) return;
    this.#writer.writeOpt(UDP_BYTES, rcode, edns.dnssecOk, edns.nsid ? this.#nsid : NO_OPTIONS);
  }

  #take(): Uint8Array {
    return this.#buffer.slice(0, this.#writer.size);
  }
}

const NO_OPTIONS = new Uint8Array();

/** Questions that no zone answers: a code, or undefined for those that zones do. */
function refusalOf({ type, class: asked }: Question, carrier: Carrier): number | undefined {
  if (asked !== CLASS_IN) return RCODE.REFUSED;
  if (type === TYPE.AXFR) return carrier === "udp" ? RCODE.FORMERR : RCODE.REFUSED;
  if (type === TYPE.IXFR) return RCODE.REFUSED;
  if (type === 0 || type === TYPE.OPT) return RCODE.FORMERR;
  // RFC 6895 section 3.1: 128 to 255 are types of questions; beside ANY we know none.
  return type >= 128 && type < 255 ? RCODE.NOTIMP : undefined;
}

function udpLimit(edns: Edns | undefined): number {
  return edns === undefined ? MIN_UDP_BYTES : Math.min(edns.udpBytes, UDP_BYTES);
}

function optBytes(edns: Edns | undefined, nsid: Uint8Array): number {
  if (edns === undefined) return 0;
  return OPT_BYTES + (edns.nsid ? nsid.length : 0);
}
