/**
 * Mutated DNS packets against the responder: what it must hold whatever comes in.
 *
 * Packets are sound ones with a few bytes changed, cut, doubled or put in: random bytes end at the
 * first check. Each goes to a responder that answers everything, and to one under a flood from
 * few networks, whose bytes are counted.
 */
import { RateLimit } from "../../daemon/dns/rate-limit.ts";
import { Responder } from "../../daemon/dns/responder.ts";
import type { Carrier, Client } from "../../daemon/dns/client.ts";
import { MIN_UDP_BYTES, UDP_BYTES } from "../../daemon/dns/edns.ts";
import { readQuery } from "../../daemon/dns/query.ts";
import { ZoneTree } from "../../daemon/dns/zone-tree.ts";
import { CLASS, OPCODE } from "../../protocol/dns/dns-code.ts";
import { decodeMessage } from "../../protocol/dns/decode-message.ts";
import { parseDnsName, ROOT_NAME } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import type { DnsRecord } from "../../protocol/dns/message.ts";
import { zoneOfLines } from "../dns/zone-lines.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";

const ZONES = [
  `example. 300 IN SOA ns.example. h.example. 7 3600 300 1209600 60
example. 300 IN NS ns.example.
example. 300 IN NS ns.sub.example.
example. 300 IN MX 10 mail.example.
ns.example. 300 IN A 192.0.2.53
mail.example. 300 IN AAAA 2001:db8::25
www.example. 300 IN A 192.0.2.1
*.wild.example. 300 IN A 192.0.2.2
a.b.c.example. 300 IN TXT "deep"
alias.example. 300 IN CNAME alias2.example.
alias2.example. 300 IN CNAME www.child.example.
loop.example. 300 IN CNAME pool.example.
pool.example. 300 IN CNAME loop.example.
moved.example. 300 IN DNAME www.example.
sub.example. 300 IN NS ns.sub.example.
ns.sub.example. 300 IN A 192.0.2.54
${Array.from({ length: 9 }, (_, index) => `long.example. 300 IN TXT "${index} ${"y".repeat(100)}"`).join("\n")}
${Array.from({ length: 40 }, (_, index) => `big.example. 300 IN TXT "${index} ${"x".repeat(90)}"`).join("\n")}`,
  `child.example. 300 IN SOA ns.example. h.example. 7 3600 300 1209600 60
child.example. 300 IN NS ns.example.
www.child.example. 300 IN A 192.0.2.3`,
];
const NAMES = [
  ...["example.", "www.example.", "WwW.Example.", "x.wild.example.", "c.example.", "b.c.example."],
  ...[
    "alias.example.",
    "loop.example.",
    "p.moved.example.",
    "h.sub.example.",
    "big.example.",
    "long.example.",
  ],
  ...["nothing.example.", "www.child.example.", "example.net.", ".", `${"a.".repeat(120)}example.`],
].map((name) => parseDnsName(name));
const TYPES: readonly number[] = [
  ...[TYPE.A, TYPE.AAAA, TYPE.NS, TYPE.SOA, TYPE.MX, TYPE.TXT, TYPE.CNAME, TYPE.DNAME, TYPE.DS],
  ...[TYPE.HTTPS, TYPE.ANY, TYPE.AXFR, TYPE.IXFR, TYPE.OPT, 0, 1000, 65_280],
];

/** What a run has seen. */
export interface Seen {
  packets: number;
  answers: number;
  /** Bytes from and to networks under a limit, without good cookies. */
  receivedBytes: number;
  sentBytes: number;
  longestUdpBytes: number;
}

export class DnsFuzz {
  readonly seen: Seen = {
    ...{ packets: 0, answers: 0, receivedBytes: 0, sentBytes: 0, longestUdpBytes: 0 },
  };
  readonly #random: SeededRandom;
  readonly #corpus: readonly Uint8Array[];
  readonly #open: Responder;
  readonly #limited: Responder;
  readonly #buffer = new Uint8Array(4096);
  #nowMs = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#corpus = Array.from({ length: 2000 }, () => anyPacket(random));
    const identity = {
      ...{ siteName: "quimper", guarded: [], forwards: false },
      cookieSecrets: [new Uint8Array(16).fill(3)],
      zones: new ZoneTree(ZONES.map(zoneOfLines)),
    };
    const clock = { wallMs: () => 1_700_000_000_000 + this.#nowMs, monotonicMs: () => this.#nowMs };
    this.#open = new Responder({ ...identity, clock });
    const limit = new RateLimit({ perSecond: 200, seed: 7 });
    this.#limited = new Responder({ ...identity, clock, limit });
  }

  /** Sends the next packet. @throws Error that says what does not hold. */
  next(): void {
    const packet = this.#mutate(this.#random.pick(this.#corpus));
    // A hundred thousand packets a second, from 16 networks.
    this.#nowMs += 0.01;
    const address = Uint8Array.of(198, 51, this.#random.below(16), this.#random.below(256));
    this.seen.packets += 1;
    try {
      this.#check(packet, { carrier: "udp", address, port: 5300, view: "public" });
      if (this.seen.packets % 4 === 0)
        this.#check(packet, { carrier: "tcp", address, port: 5300, view: "public" });
      this.#flood(packet, address);
    } catch (cause) {
      throw new Error(`packet ${Buffer.from(packet).toString("hex")}`, { cause });
    }
  }

  #check(packet: Uint8Array, client: Client): void {
    const response = this.#open.respond(packet, client);
    const answer = response === "request" ? this.#open.refuse(packet) : response;
    // Reading the whole message must end in a message or a fault as well.
    decodeMessage(packet);
    if (answer === "silence") {
      if (packet.length < 12 || ((packet[2] ?? 0) & 0x80) !== 0) return;
      throw new Error("a question was met with silence");
    }
    this.seen.answers += 1;
    const limit = mostBytes(packet, client.carrier);
    if (answer.length > limit) throw new Error(`${answer.length} of at most ${limit} bytes`);
    if (client.carrier === "udp") {
      this.seen.longestUdpBytes = Math.max(this.seen.longestUdpBytes, answer.length);
    }
    if (answer[0] !== packet[0] || answer[1] !== packet[1]) throw new Error("another id");
    const message = decodeMessage(answer);
    if ("fault" in message) throw new Error(`the answer is none: ${message.fault}`);
    if (message.trailingBytes !== 0 || !message.response || message.reserved) {
      throw new Error("the answer is not well-formed");
    }
    if (message.truncated && message.answers.length > 0) throw new Error("half an answer");
  }

  #flood(packet: Uint8Array, address: Uint8Array): void {
    const response = this.#limited.respond(packet, {
      carrier: "udp",
      address,
      port: 5300,
      view: "public",
    });
    const answer = response === "request" ? this.#limited.refuse(packet) : response;
    this.seen.receivedBytes += packet.length;
    if (answer !== "silence") this.seen.sentBytes += answer.length;
  }

  /** A copy with up to four changes. */
  #mutate(packet: Uint8Array): Uint8Array {
    const random = this.#random;
    const bytes = this.#buffer;
    bytes.set(packet);
    let size = packet.length;
    for (let left = random.below(5); left > 0; left--) {
      const at = random.below(size + 1);
      const some = 1 + random.below(8);
      switch (random.below(7)) {
        case 0:
          bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
          break;
        case 1:
          bytes[at] = random.pick([0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff]);
          break;
        case 2:
          bytes[at] = random.below(256);
          break;
        case 3:
          size = at;
          break;
        case 4:
          bytes.copyWithin(at, at + some, size);
          size = Math.max(at, size - some);
          break;
        case 5:
          if (size + 40 > bytes.length) break;
          bytes.copyWithin(at + some, at, size);
          size += some;
          break;
        default:
          // A pointer to somewhere.
          bytes[at] = 0xc0;
          bytes[at + 1] = random.below(Math.min(256, size + 2));
      }
    }
    return bytes.slice(0, size);
  }
}

/** The most that may come back: RFC 1035 section 4.2.1, RFC 6891 section 6.2.5, our own limit. */
function mostBytes(packet: Uint8Array, carrier: Carrier): number {
  if (carrier === "tcp") return 65_535;
  const query = readQuery(packet);
  const edns = query.kind === "silence" ? undefined : query.edns;
  return edns === undefined ? MIN_UDP_BYTES : Math.min(edns.udpBytes, UDP_BYTES);
}

function anyPacket(random: SeededRandom): Uint8Array {
  const additionals: DnsRecord[] = [];
  if (random.chance(0.6)) additionals.push(anyOpt(random));
  if (random.chance(0.05)) {
    const rdata = Uint8Array.of(0, ...random.bytes(40));
    const owner = random.pick(NAMES);
    additionals.push({ owner, type: TYPE.TSIG, class: CLASS.ANY, ttl: 0, rdata });
  }
  const name = random.pick(NAMES);
  const opcode = random.chance(0.9) ? OPCODE.QUERY : random.below(16);
  const packet = encodeMessage({
    ...{ id: random.below(65_536), response: false, opcode, authoritative: false },
    ...{ truncated: false, recursionDesired: random.chance(0.5), recursionAvailable: false },
    ...{ reserved: false, authenticData: false, checkingDisabled: random.chance(0.1), rcode: 0 },
    questions: [{ name, type: random.pick(TYPES), class: CLASS.IN }],
    ...{ answers: [], authorities: [], additionals },
  });
  return packet ?? new Uint8Array();
}

function anyOpt(random: SeededRandom): DnsRecord {
  const parts = Array.from({ length: random.below(4) }, () => {
    const code = random.pick([3, 8, 9, 10, 10, 11, 12, 15, 100]);
    const size = random.pick(code === 10 ? [8, 24] : [0, 0, 2, 8]);
    return Uint8Array.of(code >> 8, code & 255, 0, size, ...random.bytes(size));
  });
  return {
    owner: ROOT_NAME,
    type: TYPE.OPT,
    class: random.pick([0, 512, 1232, 4096, 65_535]),
    ttl: random.pick([0, 0x8000, 0x0001_0000, 0x40]),
    rdata: Uint8Array.from(Buffer.concat(parts)),
  };
}
