/** What goes beside questions and answers: cookies, limits, errors, who answers. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { ASKER, responderOf } from "../../test-mesh/dns/asked-responder.ts";
import { zoneOfLines } from "../../test-mesh/dns/zone-lines.ts";
import { CLASS, OPCODE, RCODE } from "../../protocol/dns/dns-code.ts";
import { decodeMessage } from "../../protocol/dns/decode-message.ts";
import { parseDnsName, ROOT_NAME } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import type { DnsRecord } from "../../protocol/dns/message.ts";
import { OPTION } from "./edns.ts";
import { RateLimit } from "./rate-limit.ts";
import { ZoneTree } from "./zone-tree.ts";

const zones = new ZoneTree([
  zoneOfLines(`
mesh.example. 300 IN SOA ns.mesh.example. h.mesh.example. 7 3600 300 1209600 60
mesh.example. 300 IN NS ns.mesh.example.
big.mesh.example. 300 IN TXT "${"x".repeat(250)}" "${"y".repeat(250)}" "${"z".repeat(250)}"
`),
]);
const SECRET = new Uint8Array(16).fill(7);
const CLIENT_COOKIE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

function option(code: number, data: Uint8Array): Uint8Array {
  return Uint8Array.of(code >> 8, code & 255, data.length >> 8, data.length & 255, ...data);
}

function opt(...options: readonly Uint8Array[]): DnsRecord {
  const rdata = Uint8Array.from(Buffer.concat(options));
  return { owner: ROOT_NAME, type: TYPE.OPT, class: 1232, ttl: 0, rdata };
}

interface Asked {
  readonly name?: string;
  readonly type?: number;
  readonly class?: number;
  readonly opt?: readonly DnsRecord[];
}

function question(asked: Asked = {}): Uint8Array {
  const { name = "mesh.example.", type = TYPE.SOA, class: askedClass = CLASS.IN } = asked;
  const questions = name === "" ? [] : [{ name: parseDnsName(name), type, class: askedClass }];
  const bytes = encodeMessage({
    ...{ id: 9, response: false, opcode: OPCODE.QUERY, authoritative: false, truncated: false },
    ...{ recursionDesired: false, recursionAvailable: false, reserved: false },
    ...{ authenticData: false, checkingDisabled: false, rcode: 0 },
    ...{ questions, answers: [], authorities: [], additionals: asked.opt ?? [] },
  });
  return bytes ?? new Uint8Array();
}

/** The code with its upper bits, and the options by their codes. */
function read(answer: Uint8Array | undefined) {
  const message = decodeMessage(answer ?? new Uint8Array());
  if ("fault" in message) throw new Error(message.fault);
  const record = message.additionals.find(({ type }) => type === TYPE.OPT);
  const options = new Map<number, Uint8Array>();
  const rdata = record?.rdata ?? new Uint8Array();
  for (let at = 0; at < rdata.length;) {
    const size = Buffer.from(rdata).readUInt16BE(at + 2);
    options.set(Buffer.from(rdata).readUInt16BE(at), rdata.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  const rcode = message.rcode | (((record?.ttl ?? 0) >>> 24) << 4);
  return { ...message, rcode, options, edns: record !== undefined };
}

describe("cookies", () => {
  const by = responderOf(zones, { cookieSecrets: [SECRET] });

  it("are given to who has one of its own, and taken back", () => {
    const first = read(by.respond(question({ opt: [opt(option(10, CLIENT_COOKIE))] }), "udp"));
    const cookie = first.options.get(OPTION.COOKIE) ?? new Uint8Array();
    equal(cookie.length, 24);
    deepEqual(cookie.subarray(0, 8), CLIENT_COOKIE);
    const again = read(by.respond(question({ opt: [opt(option(10, cookie))] }), "udp"));
    deepEqual(again.options.get(OPTION.COOKIE), cookie);
    equal(again.answers.length, 1);
    const forged = Uint8Array.from(cookie).fill(0, 8);
    const renewed = read(by.respond(question({ opt: [opt(option(10, forged))] }), "udp"));
    equal(renewed.rcode, RCODE.NOERROR, "without pressure everybody is answered");
    deepEqual(renewed.options.get(OPTION.COOKIE), cookie);
  });

  it("are malformed in sizes that none has", () => {
    for (const size of [0, 7, 9, 15, 41, 100]) {
      const answer = by.respond(question({ opt: [opt(option(10, new Uint8Array(size)))] }), "udp");
      equal(read(answer).rcode, RCODE.FORMERR, `${size} bytes`);
    }
  });

  it("are given without a question, too", () => {
    const alone = read(
      by.respond(question({ name: "", opt: [opt(option(10, CLIENT_COOKIE))] }), "udp"),
    );
    equal(alone.rcode, RCODE.NOERROR);
    equal(alone.options.get(OPTION.COOKIE)?.length, 24);
    equal(read(by.respond(question({ name: "", opt: [opt()] }), "udp")).rcode, RCODE.FORMERR);
  });

  it("are not spoken of when there is no secret", () => {
    const answer = read(
      responderOf(zones).respond(question({ opt: [opt(option(10, CLIENT_COOKIE))] }), "udp"),
    );
    deepEqual([...answer.options], []);
  });
});

describe("under a flood", () => {
  const limited = (secrets: readonly Uint8Array[] = []) => {
    let nowMs = 0;
    const limit = new RateLimit({ perSecond: 10, seed: 1 });
    const clock = { wallMs: () => 0, monotonicMs: () => nowMs };
    const by = responderOf(zones, { limit, clock, cookieSecrets: secrets });
    return { by, pass: (ms: number) => void (nowMs += ms) };
  };
  const big = { name: "big.mesh.example.", type: TYPE.TXT, opt: [opt()] };

  it("a network gets its share, then every second time the way to TCP", () => {
    const { by, pass } = limited();
    const ask = (address = ASKER.address) => by.respond(question(big), "udp", address);
    for (let left = 10; left > 0; left--) equal(read(ask()).answers.length, 1);
    const rest = Array.from({ length: 10 }, () => ask());
    equal(rest.filter((answer) => answer === undefined).length, 5);
    for (const answer of rest) {
      if (answer === undefined) continue;
      ok(answer.length <= question(big).length);
      deepEqual([read(answer).truncated, read(answer).answers], [true, []]);
    }
    equal(read(ask(Uint8Array.of(198, 51, 100, 1))).answers.length, 1, "others are served");
    const tcp = by.respond(question(big), "tcp");
    equal(read(tcp).answers.length, 1);
    pass(100);
    equal(read(ask()).answers.length, 1, "a tenth of a second is one answer");
  });

  it("a valid cookie is answered, and one without ours gets it", () => {
    const { by } = limited([SECRET]);
    const withCookie = (cookie: Uint8Array) =>
      by.respond(question({ ...big, opt: [opt(option(10, cookie))] }), "udp");
    for (let left = 10; left > 0; left--) withCookie(CLIENT_COOKIE);
    const refused = [withCookie(CLIENT_COOKIE), withCookie(CLIENT_COOKIE)].find(
      (answer) => answer !== undefined,
    );
    const { rcode, options, answers } = read(refused);
    deepEqual([rcode, answers], [RCODE.BADCOOKIE, []]);
    const cookie = options.get(OPTION.COOKIE) ?? new Uint8Array();
    for (let left = 50; left > 0; left--) equal(read(withCookie(cookie)).answers.length, 1);
  });

  it("sends at most half as much again as came, whatever is asked", () => {
    for (const secrets of [[], [SECRET]]) {
      const { by } = limited(secrets);
      let [received, sent] = [0, 0];
      for (let round = 0; round < 2000; round++) {
        const options = round % 3 === 0 ? [option(10, CLIENT_COOKIE)] : [];
        const asked = { ...big, name: round % 2 === 0 ? "big.mesh.example." : "x.example.net." };
        const packet = question({ ...asked, opt: [opt(...options, option(3, new Uint8Array()))] });
        received += packet.length;
        sent += by.respond(packet, "udp")?.length ?? 0;
      }
      ok(sent / received <= 1.5, `${sent / received}`);
    }
  });

  it("this machine itself is not limited: nobody else can send in its name", () => {
    const { by } = limited();
    for (const address of [Uint8Array.of(127, 0, 0, 9), Uint8Array.of(...new Uint8Array(15), 1)]) {
      for (let left = 30; left > 0; left--) {
        equal(read(by.respond(question(big), "udp", address)).answers.length, 1);
      }
    }
  });
});

describe("options", () => {
  const by = responderOf(zones, { siteName: "brest" });

  it("say who answers, only when asked and only when there is a name", () => {
    const asked = question({ opt: [opt(option(3, new Uint8Array()))] });
    deepEqual(read(by.respond(asked, "udp")).options.get(3), Uint8Array.from(Buffer.from("brest")));
    equal(read(by.respond(question({ opt: [opt()] }), "udp")).options.size, 0);
    const nameless = responderOf(zones, { siteName: "" });
    equal(read(nameless.respond(asked, "udp")).options.size, 0);
  });

  it("say why nothing is answered", () => {
    const errorOf = (asked: Asked, carrier: "udp" | "tcp" = "udp") => {
      const { rcode, options } = read(by.respond(question({ ...asked, opt: [opt()] }), carrier));
      return [rcode, ...(options.get(OPTION.ERROR) ?? [])];
    };
    deepEqual(errorOf({ name: "example.net." }), [RCODE.REFUSED, 0, 20]);
    deepEqual(errorOf({ class: CLASS.CH }), [RCODE.REFUSED, 0, 21]);
    deepEqual(errorOf({ type: 251 }), [RCODE.REFUSED, 0, 18]);
    deepEqual(errorOf({ type: TYPE.AXFR }, "tcp"), [RCODE.REFUSED, 0, 18]);
    deepEqual(errorOf({ type: 253 }), [RCODE.NOTIMP, 0, 21]);
    equal(read(by.respond(question({ name: "example.net." }), "udp")).edns, false);
  });

  it("tell how long a connection may be idle, over TCP alone", () => {
    const asked = question({ opt: [opt(option(11, new Uint8Array()))] });
    deepEqual(read(by.respond(asked, "tcp")).options.get(11), Uint8Array.of(0, 100));
    equal(read(by.respond(asked, "udp")).options.size, 0);
  });

  it("tell a secondary how long it may go on with the zone, with its SOA record alone", () => {
    const expire = { opt: [opt(option(9, new Uint8Array()))] };
    for (const _ of ["as it is made", "as it is kept"]) {
      const told = read(by.respond(question(expire), "udp")).options.get(OPTION.EXPIRE);
      deepEqual(told, Uint8Array.of(0, 0x12, 0x75, 0));
      equal(read(by.respond(question({ opt: [opt()] }), "udp")).options.size, 0);
    }
    const other = question({ ...expire, type: TYPE.NS });
    equal(read(by.respond(other, "udp")).options.size, 0);
  });

  it("of another version are not read, and of a malformed question are not lost", () => {
    const next = { ...opt(Uint8Array.of(0, 10, 0, 99)), ttl: 0x0001_0000 };
    equal(read(by.respond(question({ opt: [next] }), "udp")).rcode, RCODE.BADVERS);
    const two = read(by.respond(question({ opt: [opt(), opt()] }), "udp"));
    deepEqual([two.rcode, two.edns], [RCODE.FORMERR, true]);
  });
});
