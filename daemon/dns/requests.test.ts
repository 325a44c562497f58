import { deepEqual, equal, ok } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { linesOf } from "../core/zones/zone.ts";
import { serveZones, type ServedZones } from "../../test-mesh/dns/served-zone.ts";
import { siteIdOf } from "../../test-mesh/dns/static-source.ts";
import { CLASS, OPCODE, RCODE } from "../../protocol/dns/dns-code.ts";
import { decodeMessage, type DecodedMessage } from "../../protocol/dns/decode-message.ts";
import { parseDnsName, type DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import type { DnsMessage, DnsRecord } from "../../protocol/dns/message.ts";
import { parseRdata } from "../../protocol/dns/rdata.ts";
import { findTsig } from "../../protocol/dns/tsig.ts";
import { TsigSigner, verifyTsigAnswer, type TsigKey } from "../../protocol/dns/tsig-mac.ts";
import type { Asker } from "./serve.ts";
import { listZone } from "./zone-report.ts";

const ZONE = parseDnsName("mesh.example");
const SECRET = new Uint8Array(32).fill(7);
const FRIEND: TsigKey = { name: parseDnsName("friend"), algorithm: "hmac-sha256", secret: SECRET };
const ACME: TsigKey = { ...FRIEND, name: parseDnsName("acme") };
const NOTHING = new Uint8Array();
const TCP: Asker = { address: "192.0.2.53", carrier: "tcp", view: "public" };
const LARGE = 400;

let served: ServedZones;
let id = 0;

before(async () => {
  const secondary = {
    address: "198.51.100.53",
    port: 53,
    key: undefined,
    view: "public" as const,
    zones: ["mesh.example"],
  };
  served = await serveZones({ secondaries: [secondary], catalog: "catalog.example" });
  await served.editor.addZone("mesh.example", undefined, 0);
  for (let index = 0; index < LARGE; index++) {
    const data = [`${index} ${"x".repeat(200)}`];
    served.source.putRecord(ZONE, `n${index}.mesh.example`, TYPE.TXT, data);
  }
  await served.server.reload();
  const secret = Buffer.from(SECRET).toString("base64");
  const add = (name: string, transfer: boolean, names: string, types: string[]) =>
    served.requests.keys.add({
      ...{ name, zones: [], algorithm: "hmac-sha256", secret, transfer },
      update: [{ names, types }],
    });
  await add("friend", true, "**.mesh.example", []);
  await add("acme", false, "_acme-challenge.**.mesh.example", ["TXT"]);
  await served.server.reload();
});

after(() => served.stop());

function message(parts: Partial<DnsMessage>): DnsMessage {
  id = (id + 1) % 65_536;
  return {
    ...{ id, opcode: OPCODE.QUERY, rcode: 0, response: false, authoritative: false },
    ...{ truncated: false, recursionDesired: false, recursionAvailable: false, reserved: false },
    ...{ authenticData: false, checkingDisabled: false },
    ...{ questions: [], answers: [], authorities: [], additionals: [], ...parts },
  };
}

function bytesOf(parts: Partial<DnsMessage>): Uint8Array {
  const bytes = encodeMessage(message(parts));
  ok(bytes !== undefined);
  return bytes;
}

interface Signed {
  readonly packet: Uint8Array;
  readonly mac: Uint8Array;
}

function signedBy(key: TsigKey, parts: Partial<DnsMessage>): Signed {
  const signer = new TsigSigner(key, undefined, () => Math.floor(Date.now() / 1000));
  const packet = signer.sign(bytesOf(parts));
  return { packet, mac: signer.mac };
}

async function ask(packet: Uint8Array, asker = TCP): Promise<Uint8Array[]> {
  const answers: Uint8Array[] = [];
  for await (const answer of served.requests.transactions.serve(packet, asker, () => undefined)) {
    answers.push(answer);
  }
  return answers;
}

function read(bytes: Uint8Array | undefined): DecodedMessage {
  ok(bytes !== undefined, "no answer");
  const decoded = decodeMessage(bytes);
  ok(!("fault" in decoded));
  return decoded;
}

async function codeOf(packet: Uint8Array, asker = TCP): Promise<number> {
  return read((await ask(packet, asker))[0]).rcode;
}

function record(name: string, type: number, recordClass: number, data = "", ttl = 0): DnsRecord {
  const rdata = data === "" ? NOTHING : parseRdata(type, data, ZONE);
  return { owner: parseDnsName(name), type, class: recordClass, ttl, rdata };
}

function zoneQuestion(name: DnsName = ZONE, type: number = TYPE.SOA, zoneClass: number = CLASS.IN) {
  return [{ name, type, class: zoneClass }];
}

function update(parts: Partial<DnsMessage>): Partial<DnsMessage> {
  return { opcode: OPCODE.UPDATE, questions: zoneQuestion(), ...parts };
}

describe("updates that are not in form", () => {
  const www = "www.mesh.example";
  const cases: readonly (readonly [string, Partial<DnsMessage>, number])[] = [
    ["no zone", { questions: [] }, RCODE.FORMERR],
    ["two zones", { questions: [...zoneQuestion(), ...zoneQuestion()] }, RCODE.FORMERR],
    ["a zone by another type", { questions: zoneQuestion(ZONE, TYPE.A) }, RCODE.FORMERR],
    ["another class", { questions: zoneQuestion(ZONE, TYPE.SOA, CLASS.CH) }, RCODE.NOTAUTH],
    ["another zone", { questions: zoneQuestion(parseDnsName("other.example")) }, RCODE.NOTAUTH],
    ["a name in a zone", { questions: zoneQuestion(parseDnsName(www)) }, RCODE.NOTAUTH],
    [
      "a prerequisite with a TTL",
      { answers: [record(www, TYPE.ANY, CLASS.ANY, "", 1)] },
      RCODE.FORMERR,
    ],
    [
      "a prerequisite with data",
      { answers: [record(www, TYPE.A, CLASS.ANY, "192.0.2.1")] },
      RCODE.FORMERR,
    ],
    ["a prerequisite of class CH", { answers: [record(www, TYPE.A, CLASS.CH)] }, RCODE.FORMERR],
    [
      "a prerequisite elsewhere",
      { answers: [record("a.example", TYPE.A, CLASS.ANY)] },
      RCODE.NOTZONE,
    ],
    [
      "a deletion with a TTL",
      { authorities: [record(www, TYPE.A, CLASS.ANY, "", 9)] },
      RCODE.FORMERR,
    ],
    [
      "a deletion of a set with data",
      { authorities: [record(www, TYPE.A, CLASS.ANY, "192.0.2.1")] },
      RCODE.FORMERR,
    ],
    [
      "a deletion of type AXFR",
      { authorities: [record(www, TYPE.AXFR, CLASS.ANY)] },
      RCODE.FORMERR,
    ],
    ["a record of type ANY", { authorities: [record(www, TYPE.ANY, CLASS.IN)] }, RCODE.FORMERR],
    [
      "an address of three bytes",
      { authorities: [{ ...record(www, TYPE.A, CLASS.IN), rdata: new Uint8Array(3) }] },
      RCODE.FORMERR,
    ],
    [
      "a record of class CH",
      { authorities: [record(www, TYPE.A, CLASS.CH, "192.0.2.1")] },
      RCODE.FORMERR,
    ],
    [
      "a record elsewhere",
      { authorities: [record("a.example", TYPE.A, CLASS.IN, "192.0.2.1")] },
      RCODE.NOTZONE,
    ],
    [
      "a record that signers make",
      { authorities: [{ ...record(www, TYPE.NSEC, CLASS.IN), rdata: Uint8Array.of(0, 0, 1, 64) }] },
      RCODE.REFUSED,
    ],
  ];
  for (const [what, parts, rcode] of cases) {
    it(`${what}: code ${rcode}, and nothing is changed`, async () => {
      const serial = served.server.zones()[0]?.serial;
      equal(await codeOf(signedBy(FRIEND, update(parts)).packet), rcode);
      equal(served.server.zones()[0]?.serial, serial);
    });
  }
});

describe("who may do what", () => {
  const add = (name: string, type: number, data: string) =>
    update({ authorities: [record(name, type, CLASS.IN, data, 60)] });

  it("nobody updates without a signature, and nobody notifies", async () => {
    equal(await codeOf(bytesOf(add("www.mesh.example", TYPE.A, "192.0.2.1"))), RCODE.REFUSED);
    const notify = { opcode: OPCODE.NOTIFY, questions: zoneQuestion() };
    equal(await codeOf(bytesOf(notify)), RCODE.REFUSED);
    equal(await codeOf(signedBy(FRIEND, notify).packet), RCODE.REFUSED);
  });

  it("a key changes what its scopes name, and an update that goes beyond changes nothing", async () => {
    const serial = served.server.zones()[0]?.serial;
    const both = update({
      authorities: [
        record("_acme-challenge.mesh.example", TYPE.TXT, CLASS.IN, '"a"', 60),
        record("www.mesh.example", TYPE.TXT, CLASS.IN, '"a"', 60),
      ],
    });
    equal(await codeOf(signedBy(ACME, both).packet), RCODE.REFUSED);
    equal(served.server.zones()[0]?.serial, serial);
    const one = add("_acme-challenge.mesh.example", TYPE.TXT, '"a"');
    equal(await codeOf(signedBy(ACME, one).packet), RCODE.NOERROR);
    const port = {
      ownSite: siteIdOf("quimper"),
      siteName: () => "quimper",
      confirmedBy: () => undefined,
    };
    const listed = served.server.served().flatMap((zone) => listZone(zone, port));
    const [found] = listed.filter(({ name }) => name === "_acme-challenge");
    deepEqual([found?.origin, found?.site, found?.tsig], ["edit", "quimper", "acme"]);
  });

  it("a recorded packet is answered again and not applied again", async () => {
    const { packet } = signedBy(FRIEND, add("once.mesh.example", TYPE.A, "192.0.2.1"));
    equal(await codeOf(packet), RCODE.NOERROR);
    await served.editor.edit({ action: "remove", name: "once.mesh.example", data: [] });
    equal(await codeOf(packet), RCODE.NOERROR);
    const lines = served.server.served().flatMap((zone) => [...linesOf(zone)]);
    ok(!lines.some(({ rdata }) => rdata.join() === "192,0,2,1"));
  });

  it("an old signature is refused, by a signed answer with the time here", async () => {
    const old = new TsigSigner(FRIEND, undefined, () => 1_000_000_000);
    const packet = old.sign(bytesOf(add("www.mesh.example", TYPE.A, "192.0.2.1")));
    const [answer = NOTHING] = await ask(packet);
    const tsig = findTsig(answer);
    ok(typeof tsig !== "string");
    deepEqual([read(answer).rcode, tsig.error, tsig.other.length], [RCODE.NOTAUTH, 18, 6]);
    equal(verifyTsigAnswer(answer, tsig, FRIEND, old.mac, 1_000_000_000), "ok");
  });

  it("zones go to keys with the right and to addresses of secondaries only", async () => {
    const axfr = { questions: zoneQuestion(ZONE, TYPE.AXFR) };
    equal(await codeOf(bytesOf(axfr)), RCODE.REFUSED);
    equal(await codeOf(signedBy(ACME, axfr).packet), RCODE.REFUSED);
    equal(await codeOf(signedBy(FRIEND, axfr).packet), RCODE.NOERROR);
    const friendly: Asker = { ...TCP, address: "198.51.100.53" };
    equal(await codeOf(bytesOf(axfr), friendly), RCODE.NOERROR);
    const other = { questions: zoneQuestion(parseDnsName("www.mesh.example"), TYPE.AXFR) };
    equal(await codeOf(bytesOf(other), friendly), RCODE.REFUSED);
  });
});

describe("a transfer", () => {
  const axfr = { questions: zoneQuestion(ZONE, TYPE.AXFR) };

  it("comes in several messages, every one signed over the one before", async () => {
    const { packet, mac } = signedBy(FRIEND, axfr);
    const answers = await ask(packet);
    ok(answers.length > 3, `${answers.length} messages`);
    const records = answers.flatMap((answer) => read(answer).answers);
    equal(records[0]?.type, TYPE.SOA);
    deepEqual(records.at(-1)?.rdata, records[0]?.rdata);
    equal(records.filter(({ type }) => type === TYPE.SOA).length, 2);
    ok(records.length > LARGE + 2);
    for (const answer of answers) ok(answer.length <= 65_535);
    const [first = NOTHING, second = NOTHING] = answers;
    const tsig = findTsig(first);
    ok(typeof tsig !== "string" && typeof findTsig(second) !== "string");
    equal(verifyTsigAnswer(first, tsig, FRIEND, mac, tsig.timeSeconds), "ok");
  });

  it("is of one moment, whatever is changed meanwhile", async () => {
    const { packet } = signedBy(FRIEND, axfr);
    const records: DnsRecord[] = [];
    for await (const answer of served.requests.transactions.serve(packet, TCP, () => undefined)) {
      records.push(...read(answer).answers);
      await served.editor.edit({
        action: "set",
        name: "late.mesh.example",
        type: "A",
        data: [`192.0.2.${records.length % 250}`],
      });
    }
    deepEqual(records.at(-1)?.rdata, records[0]?.rdata);
  });

  it("is put off when one address has four under way", async () => {
    const started = [1, 2, 3, 4].map(() =>
      served.requests.transactions.serve(signedBy(FRIEND, axfr).packet, TCP, () => undefined),
    );
    for (const each of started) await each.next();
    equal(await codeOf(signedBy(FRIEND, axfr).packet), RCODE.SERVFAIL);
    const elsewhere: Asker = { ...TCP, address: "192.0.2.54" };
    equal(await codeOf(signedBy(FRIEND, axfr).packet, elsewhere), RCODE.NOERROR);
    for (const each of started) await each.return(undefined);
    equal(await codeOf(signedBy(FRIEND, axfr).packet), RCODE.NOERROR);
  });

  it("by IXFR is the SOA alone for who has this serial or a later one, and over UDP", async () => {
    const serial = served.server.zones()[0]?.serial ?? 0;
    const ixfr = (have: number): Partial<DnsMessage> => ({
      questions: zoneQuestion(ZONE, TYPE.IXFR),
      authorities: [record("mesh.example", TYPE.SOA, CLASS.IN, `a. b. ${have} 1 1 1 1`, 0)],
    });
    const countOf = async (have: number, asker = TCP) =>
      (await ask(signedBy(FRIEND, ixfr(have)).packet, asker)).flatMap((each) => read(each).answers)
        .length;
    equal(await countOf(serial), 1);
    equal(await countOf(serial + 5), 1);
    ok((await countOf(serial - 1)) > LARGE);
    equal(await countOf(serial - 1, { ...TCP, carrier: "udp" }), 1);
  });

  it("of the catalog names the zones, to those only who may fetch", async () => {
    const catalog = { questions: zoneQuestion(parseDnsName("catalog.example"), TYPE.AXFR) };
    equal(await codeOf(bytesOf(catalog)), RCODE.REFUSED);
    const records = (await ask(signedBy(FRIEND, catalog).packet)).flatMap(
      (each) => read(each).answers,
    );
    const members = records.filter(({ type }) => type === TYPE.PTR);
    deepEqual(
      members.map(({ rdata }) => rdata),
      [ZONE],
    );
    equal(
      await codeOf(bytesOf({ questions: zoneQuestion(parseDnsName("catalog.example")) })),
      RCODE.REFUSED,
    );
  });
});

it("bytes that are no message get FORMERR, and none ends the server", async () => {
  const { packet } = signedBy(FRIEND, { questions: zoneQuestion(ZONE, TYPE.AXFR) });
  for (let size = 12; size < packet.length; size++) {
    for (const answer of await ask(packet.subarray(0, size))) ok(answer.length >= 12);
  }
  for (let at = 0; at < packet.length; at++) {
    const wrong = Uint8Array.from(packet);
    wrong[at] = (wrong[at] ?? 0) ^ 0xff;
    for (const answer of await ask(wrong)) ok(read(answer).rcode !== RCODE.NOERROR || at < 2);
  }
});
