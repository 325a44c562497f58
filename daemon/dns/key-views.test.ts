/** What a key sees and changes, by its view. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { after, before, test } from "node:test";
import { serveZones, type ServedZones } from "../../test-mesh/dns/served-zone.ts";
import { siteIdOf } from "../../test-mesh/dns/static-source.ts";
import { CLASS, OPCODE, RCODE } from "../../protocol/dns/dns-code.ts";
import { decodeMessage, type DecodedMessage } from "../../protocol/dns/decode-message.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import {
  formatDnsName,
  parentName,
  parseDnsName,
  readDnsName,
  type DnsName,
} from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { HEADER_BYTES, type DnsMessage, type DnsRecord } from "../../protocol/dns/message.ts";
import { formatRdata, parseRdata } from "../../protocol/dns/rdata.ts";
import { TsigSigner, type TsigKey } from "../../protocol/dns/tsig-mac.ts";
import type { ViewPlace } from "../../protocol/dns/zone-view.ts";
import type { Asker } from "./serve.ts";

const ZONE = parseDnsName("mesh.example");
const TCP: Asker = { address: "192.0.2.53", carrier: "tcp", view: "mesh" };
const SECRET = new Uint8Array(32).fill(3);
const KEYS = ["all", "mesh", "lan", "here"] as const;
type KeyName = (typeof KEYS)[number];

let served: ServedZones;
let id = 0;

before(async () => {
  const secondary = { port: 53, key: undefined, zones: undefined };
  served = await serveZones({
    catalog: "catalog.example",
    secondaries: [
      { ...secondary, address: "198.51.100.1", view: "public" },
      { ...secondary, address: "198.51.100.2", view: "mesh" },
    ],
  });
  await served.editor.addZone("mesh.example", undefined, 0);
  await served.editor.addZone("other.example", undefined, 0);
  await served.editor.addZone("inner.example", undefined, 0, { view: "mesh" });
  const places = {
    all: {},
    mesh: { view: "mesh" },
    lan: { view: "lan" },
    here: { view: "lan", site: "quimper" },
  };
  for (const name of KEYS) {
    await served.requests.keys.add({
      ...{
        name,
        zones: ["mesh.example", "inner.example"],
        algorithm: "hmac-sha256",
        transfer: true,
      },
      ...{ secret: Buffer.from(SECRET).toString("base64"), ...places[name] },
      update: [{ names: "**.mesh.example", types: [] }],
    });
  }
  await served.server.reload();
});

after(() => served.stop());

function bytesOf(parts: Partial<DnsMessage>): Uint8Array {
  id += 1;
  const bytes = encodeMessage({
    ...{ id, opcode: OPCODE.QUERY, rcode: 0, response: false, authoritative: false },
    ...{ truncated: false, recursionDesired: false, recursionAvailable: false, reserved: false },
    ...{ authenticData: false, checkingDisabled: false },
    ...{ questions: [], answers: [], authorities: [], additionals: [], ...parts },
  });
  ok(bytes !== undefined);
  return bytes;
}

function signedBy(name: KeyName, parts: Partial<DnsMessage>): Uint8Array {
  const key: TsigKey = { name: parseDnsName(name), algorithm: "hmac-sha256", secret: SECRET };
  return new TsigSigner(key, undefined, () => Math.floor(Date.now() / 1000)).sign(bytesOf(parts));
}

/** The messages that answer, and in which views plain questions were answered. */
async function ask(
  packet: Uint8Array,
  asker = TCP,
): Promise<{ answers: DecodedMessage[]; views: string[] }> {
  const views: string[] = [];
  const answers: DecodedMessage[] = [];
  const respond = (plain: Uint8Array, keyed?: (apex: DnsName) => string | undefined) => {
    const name = readDnsName(plain, HEADER_BYTES);
    ok(name !== undefined);
    views.push(keyed?.(parentName(name)) ?? asker.view);
    return Uint8Array.from(plain);
  };
  for await (const bytes of served.requests.transactions.serve(packet, asker, respond)) {
    const decoded = decodeMessage(bytes);
    ok(!("fault" in decoded));
    answers.push(decoded);
  }
  return { answers, views };
}

test("a signed question is answered in the view of its key, where it has a right", async () => {
  const question = (name: string) => ({
    questions: [{ name: parseDnsName(name), type: TYPE.A, class: CLASS.IN }],
  });
  const views = { all: "public", mesh: "mesh", lan: "lan", here: "lan" };
  for (const name of KEYS) {
    deepEqual((await ask(signedBy(name, question("www.mesh.example")))).views, [views[name]]);
  }
  // The key of another zone says nothing about this one: as an unsigned question.
  deepEqual((await ask(signedBy("lan", question("www.other.example")))).views, [TCP.view]);
  deepEqual((await ask(signedBy("lan", question("elsewhere.example")))).views, [TCP.view]);
});

function record(name: string, recordClass: number, data: string, ttl: number): DnsRecord {
  const rdata = data === "" ? new Uint8Array() : parseRdata(TYPE.A, data, ZONE);
  return { owner: parseDnsName(name), type: TYPE.A, class: recordClass, ttl, rdata };
}

async function update(name: KeyName, authorities: DnsRecord[]): Promise<number | undefined> {
  const questions = [{ name: ZONE, type: TYPE.SOA, class: CLASS.IN }];
  const packet = signedBy(name, { opcode: OPCODE.UPDATE, questions, authorities });
  return (await ask(packet)).answers[0]?.rcode;
}

/** Places of the records of a name, with what they say. */
function written(name: string): string[] {
  return served.source
    .view()
    .entries("zone", `mesh.example/${name}/`)
    .map(({ value }) => {
      const { data, view, site } = value as { data: string; view: string; site?: string };
      return `${data} ${view}${site === siteIdOf("quimper") ? " here" : ""}`;
    })
    .toSorted();
}

test("an update changes the records of its key's view, and no others", async () => {
  for (const [index, name] of KEYS.entries()) {
    const add = record("host.mesh.example", CLASS.IN, `192.0.2.${index}`, 60);
    equal(await update(name, [add]), RCODE.NOERROR);
  }
  const all = ["192.0.2.0 public", "192.0.2.1 mesh", "192.0.2.2 lan", "192.0.2.3 lan here"];
  deepEqual(written("host"), all);
  equal(await update("lan", [record("host.mesh.example", CLASS.ANY, "", 0)]), RCODE.NOERROR);
  deepEqual(written("host"), ["192.0.2.0 public", "192.0.2.1 mesh", "192.0.2.3 lan here"]);
  equal(await update("all", [record("host.mesh.example", CLASS.ANY, "", 0)]), RCODE.NOERROR);
  deepEqual(written("host"), ["192.0.2.1 mesh", "192.0.2.3 lan here"]);
});

/** Addresses and aliases that a transfer carries, sorted; undefined when it is refused. */
async function fetched(packet: Uint8Array, asker = TCP): Promise<string[] | undefined> {
  const { answers } = await ask(packet, asker);
  if (answers[0]?.rcode !== RCODE.NOERROR) return undefined;
  return answers
    .flatMap((answer) => answer.answers)
    .filter(({ type }) => type === TYPE.A || type === TYPE.PTR)
    .map(({ type, owner, rdata }) => `${formatDnsName(owner)} ${formatRdata(type, rdata)}`)
    .toSorted();
}

const transferOf = (name: string): Partial<DnsMessage> => ({
  questions: [{ name: parseDnsName(name), type: TYPE.AXFR, class: CLASS.IN }],
});

test("an alias that would stand beside records of another view is ignored", async () => {
  const alias = (name: string): DnsRecord => ({
    ...{ owner: parseDnsName(name), type: TYPE.CNAME, class: CLASS.IN, ttl: 60 },
    rdata: parseRdata(TYPE.CNAME, "target.mesh.example."),
  });
  equal(await update("all", [record("both.mesh.example", CLASS.IN, "192.0.2.1", 60)]), 0);
  equal(await update("mesh", [alias("both.mesh.example")]), RCODE.NOERROR);
  deepEqual(written("both"), ["192.0.2.1 public"]);
  equal(await update("lan", [alias("inner.mesh.example")]), RCODE.NOERROR);
  equal(await update("all", [record("inner.mesh.example", CLASS.IN, "192.0.2.1", 60)]), 0);
  deepEqual(written("inner"), ["target.mesh.example. lan"]);
  // Addresses for some over an alias for all: those see the addresses.
  equal(await update("all", [alias("over.mesh.example")]), RCODE.NOERROR);
  equal(await update("mesh", [record("over.mesh.example", CLASS.IN, "10.0.0.1", 60)]), 0);
  deepEqual(written("over"), ["10.0.0.1 mesh", "target.mesh.example. public"]);
});

test("a zone that the public does not see is updated by a key of its view only", async () => {
  const inner = parseDnsName("inner.example");
  const scope = { update: [{ names: "**.inner.example", types: [] }] };
  const rights = { algorithm: "hmac-sha256" as const, transfer: true, zones: ["inner.example"] };
  await served.requests.keys.add({ ...rights, ...scope, name: "mesh", view: "mesh" });
  await served.requests.keys.add({ ...rights, ...scope, name: "all" });
  const questions = [{ name: inner, type: TYPE.SOA, class: CLASS.IN }];
  const codeOf = async (name: KeyName): Promise<number | undefined> => {
    const authorities = [record("host.inner.example", CLASS.IN, "10.0.0.9", 60)];
    const packet = signedBy(name, { opcode: OPCODE.UPDATE, questions, authorities });
    return (await ask(packet)).answers[0]?.rcode;
  };
  equal(await codeOf("all"), RCODE.NOTAUTH);
  equal(await codeOf("mesh"), RCODE.NOERROR);
  const [entry] = served.source.view().entries("zone", "inner.example/host/");
  equal((entry?.value as { view?: string } | undefined)?.view, "mesh");
});

test("a transfer carries what the view of the key, or of the secondary, shows", async () => {
  const add = (name: string, data: string, place?: ViewPlace) =>
    served.editor.edit({ action: "set", name, type: "A", data: [data], place });
  await add("a.mesh.example", "192.0.2.1");
  await add("b.mesh.example", "192.0.2.2");
  await add("b.mesh.example", "10.0.0.2", { view: "mesh" });
  await add("c.mesh.example", "10.0.0.3", { view: "lan", site: siteIdOf("quimper") });
  await add("c.mesh.example", "10.0.0.4", { view: "lan", site: siteIdOf("brest") });
  await add("d.inner.example", "10.0.0.5", { view: "mesh" });
  const own = (lines: string[] | undefined) => lines?.filter((line) => /^[abc]\./.test(line));
  const inPublic = ["a.mesh.example. 192.0.2.1", "b.mesh.example. 192.0.2.2"];
  const inMesh = ["a.mesh.example. 192.0.2.1", "b.mesh.example. 10.0.0.2"];
  const inLan = [...inMesh, "c.mesh.example. 10.0.0.3"];
  const expected = { all: inPublic, mesh: inMesh, lan: inLan, here: inLan };
  for (const name of KEYS) {
    deepEqual(own(await fetched(signedBy(name, transferOf("mesh.example")))), expected[name]);
  }
  // What its address would see does not count: that is said where the secondary is.
  for (const view of ["public", "mesh", "lan"] as const) {
    const from = (address: string): Asker => ({ ...TCP, view, address });
    const plain = bytesOf(transferOf("mesh.example"));
    deepEqual(own(await fetched(plain, from("198.51.100.1"))), inPublic);
    deepEqual(own(await fetched(plain, from("198.51.100.2"))), inMesh);
    equal(await fetched(plain, from("198.51.100.3")), undefined);
  }
});

test("a zone that a view has not is refused there, and not in the catalog", async () => {
  equal(await fetched(signedBy("all", transferOf("inner.example"))), undefined);
  const inner = await fetched(signedBy("mesh", transferOf("inner.example")));
  equal(inner?.[0], "d.inner.example. 10.0.0.5");
  const members = async (packet: Uint8Array, asker = TCP) =>
    (await fetched(packet, asker))?.map((line) => line.split(" ")[1]).toSorted();
  const catalog = transferOf("catalog.example");
  deepEqual(await members(signedBy("all", catalog)), ["mesh.example."]);
  deepEqual(await members(signedBy("mesh", catalog)), ["inner.example.", "mesh.example."]);
  const secondary: Asker = { ...TCP, address: "198.51.100.1" };
  deepEqual(await members(bytesOf(catalog), secondary), ["mesh.example.", "other.example."]);
});
