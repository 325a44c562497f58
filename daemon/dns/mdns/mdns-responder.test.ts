import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { decode, encode, type DecodedPacket, type Packet } from "dns-packet";
import { QuietLink, type Sent } from "../../../test-mesh/dns/quiet-link.ts";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import type { MdnsResponder } from "./mdns-responder.ts";
import type { Outgoing, Sender } from "./outgoing.ts";
import type { LocalService } from "./service-records.ts";

const WIKI: LocalService = {
  name: "wiki",
  addresses: ["192.168.77.14", "fd00::14"],
  ports: [{ name: "https", port: 443, transport: "tcp" }],
};
const asker = (port = 5353): Sender => ({ family: 4, address: "192.168.77.99", port });
/** The QU bit of a question and the cache-flush bit of a record. */
const TOP_BIT = 0x8000;

const read = (bytes: Uint8Array): DecodedPacket => decode(Buffer.from(bytes));
const question = (name: string, type: "A" | "AAAA" | "PTR" | "SRV" | "TXT", more: Packet = {}) =>
  encode({ type: "query", id: 0, questions: [{ name, type }], ...more });
/** With the QU bit, which the encoder does not know. */
function direct(packet: Buffer): Buffer {
  packet.writeUInt16BE(TOP_BIT | 1, packet.length - 2);
  return packet;
}
function lines(packet: DecodedPacket, section: "answers" | "additionals" = "answers"): string[] {
  return (packet[section] ?? []).map((each) => {
    const {
      name,
      type,
      ttl = 0,
      flush,
      data,
    } = each as {
      [key in "name" | "type"]: string;
    } & { ttl?: number; flush?: boolean; data: unknown };
    const shown =
      type === "SRV"
        ? `${(data as { port: number }).port} ${(data as { target: string }).target}`
        : type === "NSEC"
          ? (data as { rrtypes: string[] }).rrtypes.join(",")
          : type === "TXT"
            ? (data as Buffer[]).map(String).join("|")
            : String(data);
    return `${name} ${ttl} ${type} ${shown}${flush === true ? " flush" : ""}`;
  });
}
const said = (sent: readonly (Sent | Outgoing)[]): string[] =>
  sent.flatMap(({ bytes }) => lines(read(bytes)));

/** A link with one site that holds its names, long enough ago that it may answer again. */
function held(services: readonly LocalService[] = [WIKI]): {
  link: QuietLink;
  quimper: MdnsResponder;
} {
  const link = new QuietLink();
  const quimper = link.add("quimper");
  link.carry("quimper", quimper.offer(services, link.nowMs));
  link.pass(40_000);
  return { link, quimper };
}

describe("a service on the link", () => {
  it("is asked for three times, announced twice, and taken back at the end", () => {
    const link = new QuietLink();
    const quimper = link.add("quimper");
    link.carry("quimper", quimper.offer([WIKI], 0));
    const sent = link.pass(60_000);
    const kinds = sent.map(({ bytes }) => read(bytes).type);
    deepEqual(kinds, ["query", "query", "query", "response", "response"]);
    deepEqual(link.held, ["wiki as wiki at quimper"]);
    const [probe, second] = sent;
    deepEqual(
      read(probe?.bytes ?? new Uint8Array()).questions?.map(({ name, type }) => `${name} ${type}`),
      ["wiki.local ANY", "wiki._https._tcp.local ANY"],
    );
    equal((second?.atMs ?? 0) - (probe?.atMs ?? 0), 250);
    const announced = [
      "wiki.local 120 A 192.168.77.14 flush",
      "wiki.local 120 AAAA fd00::14 flush",
      "_services._dns-sd._udp.local 4500 PTR _https._tcp.local",
      "_https._tcp.local 4500 PTR wiki._https._tcp.local",
      "wiki._https._tcp.local 120 SRV 443 wiki.local flush",
      "wiki._https._tcp.local 4500 TXT  flush",
    ];
    for (const { bytes } of sent.slice(3)) deepEqual(lines(read(bytes)), announced);
    deepEqual(
      said(quimper.farewell()),
      announced.map((line) => line.replace(/ (120|4500) /, " 0 ")),
    );
    equal(quimper.wakeAtMs, Infinity);
  });

  it("is not answered for before its name is ours", () => {
    const link = new QuietLink();
    const quimper = link.add("quimper");
    link.carry("quimper", quimper.offer([WIKI], 0));
    link.pass(500);
    deepEqual(quimper.receive(question("wiki.local", "A"), asker(), link.nowMs), []);
  });

  it("is answered to the group at once, with what the asker will want next", () => {
    const { link, quimper } = held();
    const [answer, ...more] = quimper.receive(question("WIKI.local", "A"), asker(), link.nowMs);
    deepEqual([answer?.to, more], [{ group: 4 }, []]);
    const packet = read(answer?.bytes ?? new Uint8Array());
    deepEqual([packet.flag_aa, packet.id, packet.questions], [true, 0, []]);
    deepEqual(lines(packet), ["wiki.local 120 A 192.168.77.14 flush"]);
    ok(lines(packet, "additionals").includes("wiki.local 120 AAAA fd00::14 flush"));
  });

  it("says what there is not, so that nobody waits for it", () => {
    const { link, quimper } = held([{ ...WIKI, addresses: ["192.168.77.14"] }]);
    const answers = quimper.receive(question("wiki.local", "AAAA"), asker(), link.nowMs);
    deepEqual(said(answers), ["wiki.local 120 NSEC A flush"]);
    deepEqual(quimper.receive(question("other.local", "A"), asker(), link.nowMs), []);
  });

  it("is found by its type after a short wait, since others may answer, too", () => {
    const { link, quimper } = held();
    deepEqual(quimper.receive(question("_https._tcp.local", "PTR"), asker(), link.nowMs), []);
    const waitMs = quimper.wakeAtMs - link.nowMs;
    ok(waitMs >= 20 && waitMs <= 120, String(waitMs));
    const [sent] = link.pass(120);
    deepEqual(said(sent === undefined ? [] : [sent]), [
      "_https._tcp.local 4500 PTR wiki._https._tcp.local",
    ]);
    const extra = lines(read(sent?.bytes ?? new Uint8Array()), "additionals");
    ok(extra.includes("wiki._https._tcp.local 120 SRV 443 wiki.local flush"), extra.join("\n"));
    ok(extra.includes("wiki.local 120 A 192.168.77.14 flush"), extra.join("\n"));
    quimper.receive(question("_services._dns-sd._udp.local", "PTR"), asker(), link.nowMs);
    deepEqual(said(link.pass(120)), ["_services._dns-sd._udp.local 4500 PTR _https._tcp.local"]);
  });

  it("is told once a second at most, and not to who knows it", () => {
    const { link, quimper } = held();
    const ask = (more: Packet = {}): readonly Outgoing[] =>
      quimper.receive(question("wiki.local", "A", more), asker(), link.nowMs);
    const known = (ttl: number): Packet => ({
      answers: [{ name: "wiki.local", type: "A", ttl, data: "192.168.77.14" }],
    });
    deepEqual(ask(known(60)), []);
    equal(ask(known(59)).length, 1);
    link.pass(900);
    deepEqual(ask(), []);
    link.pass(100);
    equal(ask().length, 1);
  });

  it("waits for more known answers when the asker says that they follow", () => {
    const { link, quimper } = held();
    const cut = question("wiki.local", "A", { flags: 0x0200 });
    const more = encode({
      ...{ type: "query", id: 0, questions: [] },
      answers: [{ name: "wiki.local", type: "A", ttl: 100, data: "192.168.77.14" }],
    });
    quimper.receive(cut, asker(), link.nowMs);
    quimper.receive(more, asker(), link.nowMs + 10);
    deepEqual(link.pass(600), []);
    quimper.receive(cut, asker(), link.nowMs);
    quimper.receive(more, { ...asker(), address: "192.168.77.98" }, link.nowMs + 10);
    equal(link.pass(600).length, 1);
  });

  it("is told to one host that asks for that, if the others have it, too", () => {
    const { link, quimper } = held();
    const ask = (): readonly Outgoing[] =>
      quimper.receive(direct(question("wiki.local", "A")), asker(), link.nowMs);
    deepEqual(ask()[0]?.to, { group: 4 });
    deepEqual(ask()[0]?.to, asker());
    link.pass(31_000);
    deepEqual(ask()[0]?.to, { group: 4 });
  });

  it("is told to resolvers that know DNS only, as a server would", () => {
    const { link, quimper } = held();
    const ask = (type: "A" | "TXT"): readonly Outgoing[] =>
      quimper.receive(question("Wiki.local", type, { id: 77 }), asker(40_000), link.nowMs);
    const [answer] = ask("A");
    deepEqual(answer?.to, asker(40_000));
    const packet = read(answer?.bytes ?? new Uint8Array());
    deepEqual([packet.id, packet.questions?.[0]?.name], [77, "Wiki.local"]);
    deepEqual(lines(packet), ["Wiki.local 10 A 192.168.77.14"]);
    deepEqual(ask("TXT"), []);
  });

  it("changes with the inventory: what is new is announced, what is gone is taken back", () => {
    const { link, quimper } = held();
    const moved = { ...WIKI, addresses: ["192.168.77.15", "fd00::14"] };
    link.carry("quimper", quimper.offer([moved], link.nowMs));
    const sent = said(link.pass(5000));
    ok(sent.includes("wiki.local 120 A 192.168.77.15 flush"));
    ok(!sent.some((line) => line.includes(".77.14")));
    const gone = said(quimper.offer([], link.nowMs));
    equal(gone.length, 6);
    ok(gone.every((line) => / 0 /.test(line)));
  });

  it("keeps what another service still needs", () => {
    const blog = { ...WIKI, name: "blog" };
    const { link, quimper } = held([WIKI, blog]);
    const gone = said(quimper.offer([blog], link.nowMs));
    ok(!gone.some((line) => line.startsWith("_services")), gone.join("\n"));
    quimper.receive(question("_services._dns-sd._udp.local", "PTR"), asker(), link.nowMs);
    equal(link.pass(200).length, 1);
  });
});

describe("a name that two want", () => {
  const other = { ...WIKI, addresses: ["192.168.77.20"] };

  it("stays with who was there first; the other one adds its site", () => {
    const { link } = held();
    const brest = link.add("brest");
    link.carry("brest", brest.offer([other], link.nowMs));
    link.pass(10_000);
    deepEqual(link.held, ["wiki as wiki at quimper", "wiki as wiki-brest at brest"]);
    const [answer] = brest.receive(question("wiki-brest.local", "A"), asker(), link.nowMs);
    deepEqual(said(answer === undefined ? [] : [answer]), [
      "wiki-brest.local 120 A 192.168.77.20 flush",
    ]);
    deepEqual(brest.receive(question("wiki.local", "A"), asker(), link.nowMs), []);
  });

  it("goes to one of them when both ask at once, whoever begins", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const link = new QuietLink(seed);
      for (const [site, service] of [
        ["quimper", WIKI],
        ["brest", other],
      ] as const) {
        link.carry(site, link.add(site).offer([service], 0));
      }
      link.pass(30_000);
      equal(link.held.length, 2, `seed ${seed}: ${link.held.join(", ")}`);
      const labels = link.held.map((line) => line.split(" ")[2]);
      equal(labels.filter((label) => label === "wiki").length, 1, `seed ${seed}: ${labels.join()}`);
      notEqual(labels[0], labels[1]);
    }
  });

  it("is asked for again when somebody says otherwise later, and kept if nobody insists", () => {
    const { link, quimper } = held();
    const claim = encode({
      ...{ type: "response", flags: 0x0400, id: 0 },
      answers: [{ name: "wiki.local", type: "A", ttl: 120, data: "192.168.77.66" }],
    });
    quimper.receive(claim, asker(40_000), link.nowMs);
    equal(quimper.wakeAtMs, Infinity, "a response from another port is none");
    quimper.receive(claim, asker(), link.nowMs);
    link.pass(10_000);
    deepEqual(link.held, ["wiki as wiki at quimper", "wiki as wiki at quimper"]);
  });

  it("is no matter when two say the same", () => {
    const { link } = held();
    link.carry("brest", link.add("brest").offer([WIKI], link.nowMs));
    link.pass(10_000);
    deepEqual(link.held, ["wiki as wiki at quimper", "wiki as wiki at brest"]);
  });

  it("costs a bounded number of packets when somebody takes every name", () => {
    const link = new QuietLink();
    const quimper = link.add("quimper");
    link.carry("quimper", quimper.offer([WIKI], 0));
    for (let step = 0; step < 600; step++) {
      for (const { bytes, to } of link.pass(100)) {
        if (to !== "group" || read(bytes).type !== "query") continue;
        const answers = (read(bytes).questions ?? []).map(
          ({ name }) => ({ name, type: "A", ttl: 120, data: "192.168.77.66" }) as const,
        );
        const claim = encode({ type: "response", flags: 0x0400, id: 0, answers });
        quimper.receive(claim, asker(), link.nowMs);
      }
    }
    deepEqual(link.held, []);
    ok(link.sent.length < 60, `${link.sent.length} packets in a minute`);
  });
});

describe("hostile packets", () => {
  const many: LocalService = {
    ...WIKI,
    ports: Array.from({ length: 32 }, (_, index) => ({
      ...{ name: `service-${index}`, port: 1000 + index, transport: "tcp" as const },
    })),
  };

  it("get no answer that is longer than a frame, and end nothing", () => {
    const { link, quimper } = held([many]);
    ok(link.sent.length > 5, "what does not fit in one packet goes in several");
    const random = new SeededRandom(7);
    const corpus = [
      ...link.sent.map(({ bytes }) => bytes),
      question("wiki.local", "A"),
      question("_service-1._tcp.local", "PTR"),
      // Four counts of 65,535 in a packet of 12 bytes.
      Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255),
    ];
    for (let round = 0; round < 6000; round++) {
      const packet = Uint8Array.from(corpus[round % corpus.length] ?? []);
      for (let flips = 0; flips < 3; flips++) {
        const [high = 0, low = 0, byte = 0] = random.bytes(3);
        packet[(high * 256 + low) % packet.length] = byte;
      }
      // At a rate that is read.
      link.nowMs += 6;
      link.carry(
        "quimper",
        quimper.receive(packet, asker(round % 3 === 0 ? 999 : 5353), link.nowMs),
      );
      link.pass(0);
    }
    for (const { bytes } of link.sent) ok(bytes.length <= 1452, String(bytes.length));
    ok(read(link.sent.at(-1)?.bytes ?? new Uint8Array()).type);
  });

  it("are read so many a second, and answered to single hosts fewer times", () => {
    const { link, quimper } = held();
    const ask = (port: number): number =>
      quimper.receive(direct(question("wiki.local", "A")), asker(port), link.nowMs).length;
    let answers = 0;
    for (let count = 0; count < 10_000; count++) answers += ask(1000 + (count % 100));
    equal(answers, 100);
    link.pass(1000);
    for (let count = 0; count < 10_000; count++) answers += ask(1000 + (count % 100));
    equal(answers, 150);
  });

  it("of more than 9,000 bytes, of other opcodes and with an rcode are ignored", () => {
    const { link, quimper } = held();
    const plain = question("wiki.local", "A");
    const long = Buffer.concat([plain, Buffer.alloc(9000)]);
    for (const packet of [
      long,
      question("wiki.local", "A", { flags: 0x2800 }),
      question("wiki.local", "A", { flags: 3 }),
    ]) {
      deepEqual(quimper.receive(packet, asker(), link.nowMs), []);
    }
    equal(quimper.receive(plain, asker(), link.nowMs).length, 1);
  });
});
