/**
 * From a packet to the packet that answers it.
 *
 * One responder serves UDP and TCP of one set of zones; it knows no sockets. Answers to names that
 * stand in a zone as they are, are kept as bytes: the next question for the same is answered by a
 * copy with the id, the copied flags and the asker's own spelling of the name put in.
 *
 * Source: RFC 1035 section 4.1, RFC 7873 (cookies), RFC 8914 (errors).
 */
import { RCODE } from "../../protocol/dns/dns-code.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { isWithin, type DnsName } from "../../protocol/dns/dns-name.ts";
import { MAX_MESSAGE_BYTES } from "../../protocol/dns/message.ts";
import {
  checkCookie,
  CLIENT_COOKIE_BYTES,
  makeServerCookie,
} from "../../protocol/dns/server-cookie.ts";
import { answerQuestion } from "./answer.ts";
import type { Answer } from "./answer-sections.ts";
import { AnswerWriter } from "./answer-writer.ts";
import type { Client } from "./client.ts";
import { EXTENDED_ERROR, MIN_UDP_BYTES, OPT_BYTES, OPTION, UDP_BYTES, type Edns } from "./edns.ts";
import { PreparedAnswers } from "./prepared-answers.ts";
import { negativeTail, type NegativeTail } from "./negative-tail.ts";
import { readQuery, refusalOf, type Question } from "./query.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { RRset } from "../core/zones/zone.ts";
import type { ZoneTree } from "./zone-tree.ts";

/** How long a connection may be idle, in units of 100 ms (RFC 7828 section 3.1). */
const KEEPALIVE_100_MS = 100;

const FLAG_RECURSION_DESIRED = 0x01;
const FLAG_AUTHENTIC = 0x20;
const FLAG_CHECKING_DISABLED = 0x10;
/**
 * What a question of the LAN counts against the limit of its network: a household behind one router
 * asks far more for names of others than anybody asks for ours.
 */
const LAN_COST = 0.1;

export interface Identity {
  /** What NSID tells: which node answered. At most 255 bytes are used; empty: nothing is told. */
  readonly siteName: string;
  /** Of 16 bytes each, the one that new cookies are made with first; none: no cookies. */
  readonly cookieSecrets: readonly Uint8Array[];
  /** Apexes of zones that others answer for: names at and below them are "request". */
  readonly guarded: readonly DnsName[];
  /** Clients of the view `lan` are answered about names of others, too: these are "request". */
  readonly forwards: boolean;
}

export interface ResponderOptions extends Identity {
  readonly zones: ZoneTree;
  /** Undefined: everybody gets all answers. */
  readonly limit?: RateLimit | undefined;
  readonly clock: { wallMs(): number; monotonicMs(): number };
}

/** "request": not a question, see query.ts; "silence": nobody gets an answer to this. */
export type Response = Uint8Array | "silence" | "request";

/** A question for names of others. */
export interface Wanted {
  readonly question: Question;
  /** DO and CD. */
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** What was found out for a {@link Wanted}. */
export interface Found {
  readonly answer: Answer;
  readonly authenticated: boolean;
  /** RFC 8914. */
  readonly error: number | undefined;
}

export class Responder {
  #tree: ZoneTree;
  #prepared = new PreparedAnswers();
  #tails = new Map<RRset, NegativeTail>();
  #siteName: Uint8Array = NOTHING;
  #secrets: readonly Uint8Array[] = [];
  #guarded: readonly DnsName[] = [];
  #forwards = false;
  readonly #limit: RateLimit | undefined;
  readonly #clock: ResponderOptions["clock"];
  readonly #out = new AnswerWriter();

  constructor({ zones, limit, clock, ...identity }: ResponderOptions) {
    this.#tree = zones;
    this.#limit = limit;
    this.#clock = clock;
    this.identify(identity);
  }

  identify({ siteName, cookieSecrets, guarded, forwards }: Identity): void {
    this.#siteName = Uint8Array.from(Buffer.from(siteName).subarray(0, 255));
    this.#secrets = cookieSecrets;
    this.#guarded = guarded;
    this.#forwards = forwards;
  }

  /** Answers from these zones from now on. */
  serve(zones: ZoneTree): void {
    this.#tree = zones;
    this.#prepared = new PreparedAnswers();
    this.#tails = new Map();
  }

  /** How many answers are kept as bytes. */
  get preparedCount(): number {
    return this.#prepared.size;
  }

  /** The answer is a view that the next call overwrites. */
  respond(packet: Uint8Array, client: Client): Response {
    const query = readQuery(packet);
    if (query.kind === "silence" || query.kind === "request") return query.kind;
    const { edns } = query;
    this.#out.recurses = this.#mayRecurse(client);
    const isKnown = this.#startOptions(edns, client);
    const question = query.kind === "question" ? query.question : query.echo;
    if (!isKnown) {
      const cost = this.#out.recurses ? LAN_COST : 1;
      const nowMs = this.#clock.monotonicMs();
      const allowance = this.#limit?.take(client.address, nowMs, cost) ?? "answer";
      if (allowance === "none") return "silence";
      if (allowance === "short") return this.#leadElsewhere(packet, question, edns);
    }
    if (query.kind === "refusal") {
      return this.#out.bare(packet, { rcode: query.rcode, question: query.echo, edns });
    }
    return this.#answer(packet, query.question, edns, client);
  }

  /** Undefined: the packet is no question whose answer somebody else has to find. */
  forwardable(packet: Uint8Array, client: Client): Wanted | undefined {
    const query = readQuery(packet);
    if (query.kind !== "question" || !this.#mayRecurse(client) || !desiresRecursion(packet)) {
      return undefined;
    }
    const { question, edns } = query;
    if (refusalOf(question, client.carrier) !== undefined) return undefined;
    if (this.#guarded.some((apex) => isWithin(question.name, apex))) return undefined;
    const checkingDisabled = ((packet[3] ?? 0) & FLAG_CHECKING_DISABLED) !== 0;
    return { question, dnssecOk: edns?.dnssecOk === true, checkingDisabled };
  }

  /** The answer to a question that was {@link forwardable}; a view that the next call overwrites. */
  complete(packet: Uint8Array, client: Client, made: Found): Response {
    const query = readQuery(packet);
    if (query.kind !== "question") return "silence";
    const { question, edns } = query;
    this.#out.recurses = this.#mayRecurse(client);
    this.#startOptions(edns, client);
    if (edns !== undefined && made.error !== undefined) {
      this.#out.options.addNumber(OPTION.ERROR, made.error);
    }
    const bytes = this.#write(
      packet,
      question,
      edns,
      made.answer,
      this.#room(edns, client),
      client,
    );
    // RFC 6840 section 5.8: for whoever has shown that he knows it.
    const knows = edns?.dnssecOk === true || ((packet[3] ?? 0) & FLAG_AUTHENTIC) !== 0;
    if (made.authenticated && knows) bytes[3] = (bytes[3] ?? 0) | FLAG_AUTHENTIC;
    return bytes;
  }

  #mayRecurse({ view }: Client): boolean {
    return this.#forwards && view === "lan";
  }

  /** The answer to a "request" that nobody takes. */
  refuse(packet: Uint8Array): Uint8Array {
    const query = readQuery(packet);
    const { question, edns } =
      query.kind === "request" || query.kind === "question"
        ? query
        : { question: undefined, edns: undefined };
    this.#out.recurses = false;
    this.#out.options.clear();
    if (edns !== undefined) this.#out.options.addNumber(OPTION.ERROR, EXTENDED_ERROR.PROHIBITED);
    return this.#out.bare(packet, { rcode: RCODE.REFUSED, question, edns });
  }

  #answer(
    packet: Uint8Array,
    question: Question,
    edns: Edns | undefined,
    client: Client,
  ): Response {
    const refusal = refusalOf(question, client.carrier);
    if (refusal === "request") return refusal;
    if (refusal !== undefined) {
      if (edns !== undefined)
        this.#out.options.addNumber(OPTION.ERROR, EXTENDED_ERROR.NOT_SUPPORTED);
      return this.#out.bare(packet, { rcode: refusal, question, edns });
    }
    let bodyLimit = this.#room(edns, client);
    const asksExpiry = edns?.expire === true && question.type === TYPE.SOA;
    const { view, keyed } = client;
    const isOnce = asksExpiry || keyed !== undefined;
    if (!isOnce) {
      const kept = this.#prepared.find(packet, question, view);
      const fits = kept !== undefined && kept.length <= bodyLimit;
      const ready = fits ? kept : this.#prepared.findCut(packet, question, view, bodyLimit);
      if (ready !== undefined) return this.#out.again(packet, ready, question, edns);
    }
    const answer = answerQuestion(this.#tree, question.name, question.type, view, keyed);
    const isForOthers = answer.zone === undefined || answer.unresolved !== undefined;
    if (isForOthers && this.#out.recurses && desiresRecursion(packet)) return "request";
    if (answer.zone === undefined) {
      if (this.#guarded.some((apex) => isWithin(question.name, apex))) return "request";
      if (edns !== undefined) {
        this.#out.options.addNumber(OPTION.ERROR, EXTENDED_ERROR.NOT_AUTHORITATIVE);
      }
      return this.#out.bare(packet, { rcode: answer.rcode, question, edns });
    }
    if (asksExpiry) {
      this.#addExpiry(answer);
      bodyLimit = this.#room(edns, client);
    }
    return (
      this.#deny(packet, question, edns, answer, bodyLimit, client) ??
      this.#write(packet, question, edns, answer, bodyLimit, client)
    );
  }

  /** RFC 7314 section 3: a primary gives the field of its SOA record. */
  #addExpiry({ answer }: Answer): void {
    const soa = answer.find(({ rrset }) => rrset.type === TYPE.SOA)?.rrset.rdata[0];
    if (soa !== undefined) this.#out.options.add(OPTION.EXPIRE, soa.subarray(-8, -4));
  }

  /** What the answer may take without its OPT record, whose options are known. */
  #room(edns: Edns | undefined, { carrier }: Client): number {
    const limit = carrier === "tcp" ? MAX_MESSAGE_BYTES : udpLimit(edns);
    return limit - (edns === undefined ? 0 : OPT_BYTES + this.#out.options.size);
  }

  /** A negative answer of ready bytes; undefined for all others, and for one that has no room. */
  #deny(
    packet: Uint8Array,
    question: Question,
    edns: Edns | undefined,
    made: Answer,
    bodyLimit: number,
    { view, keyed }: Client,
  ): Uint8Array | undefined {
    const { zone, answer, authority } = made;
    if (keyed !== undefined || zone === undefined || answer.length > 0 || authority.length !== 1)
      return undefined;
    const soa = zone.negativeSoa[view];
    if (soa === undefined || authority[0]?.rrset !== soa) return undefined;
    const tail = this.#tails.get(soa) ?? negativeTail(soa);
    if (tail === undefined || question.end + tail.bytes.length > bodyLimit) return undefined;
    this.#tails.set(soa, tail);
    this.#out.deny(packet, question, tail, made);
    this.#prepared.keep(this.#out.body, question, made, view);
    return this.#out.close(edns, made.rcode);
  }

  /**
   * Begins the options of the answer.
   *
   * @returns Whether the asker is known to receive what is sent to its address.
   */
  #startOptions(edns: Edns | undefined, { carrier, address }: Client): boolean {
    this.#out.options.clear();
    const isTcp = carrier === "tcp";
    if (edns === undefined || edns.version > 0) return isTcp;
    if (edns.nsid && this.#siteName.length > 0) this.#out.options.add(OPTION.NSID, this.#siteName);
    if (edns.keepalive && isTcp) this.#out.options.addNumber(OPTION.KEEPALIVE, KEEPALIVE_100_MS);
    const [secret] = this.#secrets;
    if (edns.cookie === undefined || secret === undefined) return isTcp;
    const wallSeconds = Math.floor(this.#clock.wallMs() / 1000);
    const known = checkCookie(this.#secrets, edns.cookie, address, wallSeconds);
    if (known === "good") this.#out.options.add(OPTION.COOKIE, edns.cookie);
    else {
      const client = edns.cookie.subarray(0, CLIENT_COOKIE_BYTES);
      const server = makeServerCookie(secret, client, address, wallSeconds);
      this.#out.options.add(OPTION.COOKIE, client, server);
    }
    return isTcp || known !== "none";
  }

  /**
   * An answer to somebody whose address may be forged and who has had enough: the way by TCP, or
   * a cookie to come back with (RFC 7873 section 5.2.3).
   */
  #leadElsewhere(
    packet: Uint8Array,
    question: Question | undefined,
    edns: Edns | undefined,
  ): Response {
    const hasCookie = edns?.version === 0 && edns.cookie !== undefined && this.#secrets.length > 0;
    if (hasCookie) return this.#out.bare(packet, { rcode: RCODE.BADCOOKIE, question, edns });
    this.#out.options.clear();
    const rcode = edns !== undefined && edns.version > 0 ? RCODE.BADVERS : RCODE.NOERROR;
    return this.#out.bare(packet, { rcode, question, edns, truncated: true });
  }

  #write(
    packet: Uint8Array,
    question: Question,
    edns: Edns | undefined,
    answer: Answer,
    bodyLimit: number,
    { carrier, view, keyed }: Client,
  ): Uint8Array {
    const filled = this.#out.write(packet, question, answer, bodyLimit, carrier);
    // What others have to complete is asked for again by those who may have it completed.
    const isHalf = this.#forwards && view === "lan" && answer.unresolved !== undefined;
    if (!isHalf && keyed === undefined) {
      const body = this.#out.body;
      if (filled === "whole") this.#prepared.keep(body, question, answer, view);
      if (filled === "cut") {
        this.#prepared.keepCut(body, question, answer, { view, limit: bodyLimit });
      }
    }
    return this.#out.close(edns, answer.rcode);
  }
}

const NOTHING = new Uint8Array();

function desiresRecursion(packet: Uint8Array): boolean {
  return ((packet[2] ?? 0) & FLAG_RECURSION_DESIRED) !== 0;
}

function udpLimit(edns: Edns | undefined): number {
  return edns === undefined ? MIN_UDP_BYTES : Math.min(edns.udpBytes, UDP_BYTES);
}
