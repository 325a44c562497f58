import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { decode, encode, type RecordType } from "dns-packet";
import fc from "fast-check";
import { responderOf } from "../../test-mesh/dns/asked-responder.ts";
import { zoneOfLines } from "../../test-mesh/dns/zone-lines.ts";
import { decodeMessage } from "../../protocol/dns/decode-message.ts";
import {
  formatDnsName,
  lowerCase,
  parseDnsName,
  type DnsName,
} from "../../protocol/dns/dns-name.ts";
import { UDP_BYTES } from "./edns.ts";
import { ZoneTree } from "./zone-tree.ts";

const ZONE = `
mesh.example. 300 IN SOA ns.mesh.example. h.mesh.example. 7 3600 300 1209600 60
mesh.example. 300 IN NS ns.mesh.example.
ns.mesh.example. 300 IN A 192.0.2.53
www.mesh.example. 300 IN A 192.0.2.1
*.wild.mesh.example. 300 IN A 192.0.2.2
alias.mesh.example. 300 IN CNAME www.mesh.example.
long.mesh.example. 300 IN DNAME ${"x".repeat(60)}.${"y".repeat(60)}.${"z".repeat(60)}.mesh.example.
sub.mesh.example. 300 IN NS ns.sub.mesh.example.
ns.sub.mesh.example. 300 IN A 192.0.2.54
`;
const CHILD = `
child.mesh.example. 300 IN SOA ns.mesh.example. h.mesh.example. 7 3600 300 1209600 60
child.mesh.example. 300 IN NS ns.mesh.example.
child.mesh.example. 300 IN CNAME www.mesh.example.
into.child.mesh.example. 300 IN CNAME www.mesh.example.
`;
const tree = () => new ZoneTree([zoneOfLines(CHILD), zoneOfLines(ZONE)]);
const responder = responderOf(tree());

const OPT = {
  type: "OPT",
  name: ".",
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
} as const;

function question(name: string, type: RecordType = "A", id = 1, edns = false): Buffer {
  const additionals = edns ? [{ ...OPT, options: [] }] : [];
  return encode({ type: "query", id, questions: [{ name, type }], additionals });
}

function ask(packet: Uint8Array, by = responder) {
  const answer = by.respond(packet, "udp");
  return answer === undefined ? undefined : decode(Buffer.from(answer));
}

function rcodeOf(packet: Uint8Array): number | undefined {
  const answer = responder.respond(packet, "udp");
  return answer === undefined ? undefined : (answer[3] ?? 0) & 15;
}

function patched(packet: Buffer, at: number, ...bytes: readonly number[]): Buffer {
  const copy = Buffer.from(packet);
  copy.set(bytes, at);
  return copy;
}

describe("the responder", () => {
  it("is silent to answers and to packets without a header", () => {
    equal(rcodeOf(patched(question("www.mesh.example"), 2, 0x80)), undefined);
    equal(rcodeOf(question("www.mesh.example").subarray(0, 11)), undefined);
    equal(rcodeOf(new Uint8Array()), undefined);
  });

  it("refuses what is malformed with FORMERR", () => {
    const good = question("www.mesh.example", "A", 1, true);
    equal(rcodeOf(patched(good, 4, 0, 2)), 1, "two questions");
    equal(rcodeOf(patched(good, 4, 0, 0)), 1, "no question");
    equal(rcodeOf(patched(good, 6, 0xff, 0xff)), 1, "records that are not there");
    equal(rcodeOf(patched(good, 12, 0xc0, 0x0c)), 1, "a pointer to itself");
    equal(rcodeOf(patched(good, 12, 0x41)), 1, "a label of an unknown kind");
    equal(rcodeOf(Buffer.concat([good, Buffer.of(0)])), 1, "a byte behind the end");
    equal(rcodeOf(good.subarray(0, 20)), 1, "cut off");
    const opt = good.subarray(good.length - 11);
    const two = Buffer.concat([good, opt]);
    equal(rcodeOf(patched(two, 10, 0, 2)), 1, "two OPT records");
    const long = Buffer.concat([good, Buffer.of(0, 3, 0xea, 0x60)]);
    equal(rcodeOf(patched(long, good.length - 2, 0, 4)), 1, "an option longer than its record");
  });

  it("answers other acts with NOTIMP or REFUSED and the header alone", () => {
    for (const [opcode, rcode] of [
      [1, 4],
      [2, 4],
      [4, 5],
      [5, 5],
      [15, 4],
    ] as const) {
      const answer = responder.respond(
        patched(question("www.mesh.example"), 2, opcode << 3),
        "udp",
      );
      equal(answer?.length, 12);
      equal((answer?.[3] ?? 0) & 15, rcode);
      equal(((answer?.[2] ?? 0) >> 3) & 15, opcode);
    }
  });

  it("answers a prepared question like a new one, whatever the spelling and id", () => {
    for (const edns of [false, true]) {
      for (const name of ["www.mesh.example", "alias.mesh.example", "mesh.example"]) {
        const fresh = responderOf(tree());
        const first = fresh.respond(question(name, "A", 0x1234, edns), "udp");
        const again = fresh.respond(question(name, "A", 0x1234, edns), "udp");
        deepEqual(again, first);
        const shouted = question(name.toUpperCase(), "A", 0xabcd, edns);
        shouted[2] = 1; // RD
        shouted[3] = 0x10; // CD
        if (edns) shouted[shouted.length - 4] = 0x80; // DO
        const kept = fresh.respond(shouted, "udp");
        deepEqual(kept, responderOf(tree()).respond(shouted, "udp"));
      }
    }
  });

  it("keeps answers of one version of the zones apart from the next", () => {
    const before = ask(question("www.mesh.example"));
    const changed = new ZoneTree([zoneOfLines(ZONE.replace("192.0.2.1\n", "192.0.2.99\n"))]);
    const after = ask(question("www.mesh.example"), responderOf(changed));
    equal(before?.answers?.length, 1);
    ok(JSON.stringify(after?.answers).includes("192.0.2.99"));
  });

  it("follows an alias into another zone that it serves", () => {
    const answer = ask(question("into.child.mesh.example"));
    deepEqual(
      answer?.answers?.map(({ type }) => type),
      ["CNAME", "A"],
    );
  });

  it("says of every missing name what its zone says, however long the name is", () => {
    const apexes = ["mesh.example", "a", "."].map((apex) =>
      parseDnsName(`${apex}.`.replace("..", ".")),
    );
    for (const apex of apexes) {
      const at = formatDnsName(apex) === "." ? "." : `.${formatDnsName(apex)}`;
      const zone = zoneOfLines(
        `${formatDnsName(apex)} 300 IN SOA ns${at} h.ns${at} 7 3600 300 1209600 60\n` +
          `\\255\\192${at} 300 IN A 192.0.2.1`,
      );
      const by = responderOf(new ZoneTree([zone]));
      const soa = lowerCase(zone.soa.public?.rdata[0] as DnsName);
      for (const name of ["x", "X.ns", "h.NS", "\\255\\192.y", "a.".repeat(100) + "b"]) {
        for (const type of ["A", "MX"] as const) {
          const owner = parseDnsName(name, apex);
          const packet = Buffer.concat([
            question(".", type).subarray(0, 12),
            owner,
            question(".", type).subarray(13, 17),
          ]);
          const read = decodeMessage(by.respond(packet, "udp") ?? new Uint8Array());
          if ("fault" in read) throw new Error(`${name}: ${read.fault}`);
          deepEqual([read.rcode, read.authoritative, read.trailingBytes], [3, true, 0]);
          deepEqual(read.questions[0]?.name, owner);
          const [record] = read.authorities;
          deepEqual(record && lowerCase(record.owner), apex);
          deepEqual(record && lowerCase(record.rdata as DnsName), soa);
          deepEqual([record?.ttl, read.authorities.length], [60, 1]);
        }
      }
    }
  });

  it("takes DS of an apex from the zone above", () => {
    const answer = ask(question("child.mesh.example", "DS"));
    equal(answer?.flag_aa, true);
    equal(answer?.authorities?.[0]?.name, "mesh.example");
  });

  it("says YXDOMAIN when a redirected name gets too long", () => {
    const label = "q".repeat(60);
    equal(rcodeOf(question(`${label}.long.mesh.example`)), 6);
  });

  it("asks for TCP rather than leave out glue that a referral needs", () => {
    const names = Array.from(
      { length: 20 },
      (_, index) => `n${index}.${"g".repeat(50)}.cut.example.`,
    );
    const lines = [
      "example. 300 IN SOA ns.example. h.example. 7 3600 300 1209600 60",
      ...names.flatMap((name) => [`cut.example. 300 IN NS ${name}`, `${name} 300 IN A 192.0.2.7`]),
    ];
    const by = responderOf(new ZoneTree([zoneOfLines(lines.join("\n"))]));
    const cut = by.respond(question("host.cut.example"), "udp");
    equal((cut?.[2] ?? 0) & 2, 2);
    const whole = by.respond(question("host.cut.example"), "tcp");
    equal(decode(Buffer.from(whole ?? [])).additionals?.length, 20);
  });

  it("gives one set for ANY over UDP and all over TCP", () => {
    const packet = question("mesh.example", "A");
    packet.writeUInt16BE(255, packet.length - 4);
    equal(ask(packet)?.answers?.length, 1);
    const whole = responder.respond(packet, "tcp");
    equal(decode(Buffer.from(whole ?? [])).answers?.length, 2);
  });

  it("keeps no answers to invented names", () => {
    const by = responderOf(tree());
    for (let index = 0; index < 200; index++) {
      by.respond(question(`n${index}.wild.mesh.example`), "udp");
      by.respond(question(`n${index}.mesh.example`), "udp");
      by.respond(question(`n${index}.sub.mesh.example`), "udp");
    }
    equal(by.preparedCount, 0);
    by.respond(question("www.mesh.example"), "udp");
    equal(by.preparedCount, 1);
  });

  it("answers any bytes with a sound packet of bounded size, or not at all", () => {
    const names = [
      "www.mesh.example",
      "a.wild.mesh.example",
      "x.sub.mesh.example",
      "a.long.mesh.example",
    ];
    const types: readonly RecordType[] = ["A", "NS", "SOA", "DNAME", "CNAME", "TXT"];
    const flips = fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 });
    const hostile = fc
      .tuple(fc.constantFrom(...names), fc.constantFrom(...types), fc.boolean(), flips)
      .map(([name, type, edns, changes]) => {
        const packet = question(name, type, 9, edns);
        for (const [at, byte] of changes) if (at < packet.length) packet[at] = byte;
        return packet;
      });
    const check = (packet: Uint8Array): void => {
      const answer = responder.respond(packet, "udp");
      if (answer === undefined) return;
      ok(answer.length >= 12 && answer.length <= UDP_BYTES);
      ok(((answer[2] ?? 0) & 0x80) !== 0);
      deepEqual([answer[0], answer[1]], [packet[0], packet[1]]);
      ok(walks(answer), "the answer is not well-formed");
    };
    fc.assert(fc.property(hostile, check), { numRuns: 5000 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), check), { numRuns: 2000 });
  });
});

/** Whether counts, names and lengths lead exactly to the end of a message. */
function walks(message: Uint8Array): boolean {
  const u16 = (at: number) => (message[at] ?? 0) * 256 + (message[at + 1] ?? 0);
  const skip = (start: number): number => {
    let at = start;
    for (let size = message[at] ?? 0; ; size = message[at] ?? 0) {
      if (size >= 0xc0) return u16(at) % 0x4000 < start ? at + 2 : Number.NaN;
      at += size + 1;
      if (size === 0) return at;
    }
  };
  let at = 12;
  for (let left = u16(4); left > 0; left--) at = skip(at) + 4;
  for (let left = u16(6) + u16(8) + u16(10); left > 0; left--) {
    at = skip(at);
    at += 10 + u16(at + 8);
  }
  return at === message.length;
}
