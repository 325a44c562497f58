/** What a key sees ends at its zones, by whatever way a question leads out of them. */
import { deepEqual, ok } from "node:assert/strict";
import { after, before, test } from "node:test";
import { serveZones, type ServedZones } from "../../test-mesh/dns/served-zone.ts";
import { CLASS, OPCODE } from "../../protocol/dns/dns-code.ts";
import { decodeMessage } from "../../protocol/dns/decode-message.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import { formatDnsName, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import { TsigSigner, type TsigKey } from "../../protocol/dns/tsig-mac.ts";
import { systemClock } from "../observe/system-clock.ts";
import { askUdp } from "./ask.ts";

const TIMEOUT_MS = 20_000;
const KEY: TsigKey = {
  ...{ name: parseDnsName("friend"), algorithm: "hmac-sha256", secret: new Uint8Array(32).fill(7) },
};

let served: ServedZones;

before(async () => {
  served = await serveZones();
  const { editor } = served;
  const add = (name: string, type: string, data: string, view: "public" | "lan" = "public") =>
    editor.edit({ action: "add", name, type, data: [data], place: { view } });
  await editor.addZone("mesh.example", undefined, 0);
  await editor.addZone("sub.mesh.example", undefined, 0);
  await editor.addZone("other.example", undefined, 0);
  await editor.addZone("hidden.example", undefined, 0, { view: "lan" });
  await add("www.mesh.example", "A", "192.168.1.1", "lan");
  await add("own.mesh.example", "CNAME", "www.mesh.example.");
  await add("box.other.example", "A", "192.0.2.2");
  await add("box.other.example", "A", "192.168.1.2", "lan");
  await add("box.hidden.example", "A", "192.168.1.3", "lan");
  await add("box.sub.mesh.example", "A", "192.168.1.4", "lan");
  await add("alias.mesh.example", "CNAME", "box.other.example.");
  await add("hide.mesh.example", "CNAME", "box.hidden.example.");
  await add("below.mesh.example", "CNAME", "box.sub.mesh.example.");
  await add("moved.mesh.example", "DNAME", "other.example.");
  await add("mail.mesh.example", "MX", "1 box.other.example.");
  await add("mail.mesh.example", "MX", "2 www.mesh.example.");
  await served.requests.keys.add({
    ...{ name: "friend", zones: ["mesh.example"], algorithm: "hmac-sha256", transfer: true },
    ...{ secret: Buffer.from(KEY.secret).toString("base64"), view: "lan" },
    update: [{ names: "**.mesh.example", types: [] }],
  });
  await served.server.reload();
});

after(() => served.stop());

/** Addresses in the answer to a signed question from somebody who is of the public. */
async function addresses(name: string, type: string): Promise<string[]> {
  const question = { name: parseDnsName(name), type: parseType(type), class: CLASS.IN };
  const bytes = encodeMessage({
    ...{ id: 7, opcode: OPCODE.QUERY, rcode: 0, response: false, authoritative: false },
    ...{ truncated: false, recursionDesired: true, recursionAvailable: false, reserved: false },
    ...{ authenticData: false, checkingDisabled: false },
    ...{ questions: [question], answers: [], authorities: [], additionals: [] },
  });
  ok(bytes !== undefined);
  const signer = new TsigSigner(KEY, undefined, () => Math.floor(Date.now() / 1000));
  const place = { address: "127.0.0.1", port: served.port };
  const answer = await askUdp(place, signer.sign(bytes), TIMEOUT_MS, systemClock);
  ok(answer !== undefined, "no answer");
  const message = decodeMessage(answer);
  ok(!("fault" in message));
  return (
    [...message.answers, ...message.additionals]
      .filter((record) => formatType(record.type) === "A")
      .map(({ owner, rdata, type: own }) => `${formatDnsName(owner)} ${formatRdata(own, rdata)}`)
      // The name servers of each zone.
      .filter((line) => !line.startsWith("quimper.node."))
      .toSorted()
  );
}

test("an alias inside of the zone is followed in the view of the key", async () => {
  deepEqual(await addresses("own.mesh.example", "A"), ["www.mesh.example. 192.168.1.1"]);
});

test("an alias to another zone shows of it what the asker sees without the key", async () => {
  deepEqual(await addresses("alias.mesh.example", "A"), ["box.other.example. 192.0.2.2"]);
  deepEqual(await addresses("box.moved.mesh.example", "A"), ["box.other.example. 192.0.2.2"]);
  deepEqual(await addresses("hide.mesh.example", "A"), []);
});

test("a zone below that of the key is another zone", async () => {
  deepEqual(await addresses("box.sub.mesh.example", "A"), []);
  deepEqual(await addresses("below.mesh.example", "A"), []);
});

test("addresses beside an answer are those of the view of their own zone", async () => {
  deepEqual(await addresses("mail.mesh.example", "MX"), [
    "box.other.example. 192.0.2.2",
    "www.mesh.example. 192.168.1.1",
  ]);
});

test("what a key was told is not told to others afterwards", async () => {
  deepEqual(await addresses("www.mesh.example", "A"), ["www.mesh.example. 192.168.1.1"]);
  const { rcode, answers } = await plain("www.mesh.example");
  deepEqual([rcode, answers.length], [3, 0]);
});

async function plain(name: string) {
  const bytes = encodeMessage({
    ...{ id: 8, opcode: OPCODE.QUERY, rcode: 0, response: false, authoritative: false },
    ...{ truncated: false, recursionDesired: false, recursionAvailable: false, reserved: false },
    ...{ authenticData: false, checkingDisabled: false },
    questions: [{ name: parseDnsName(name), type: parseType("A"), class: CLASS.IN }],
    ...{ answers: [], authorities: [], additionals: [] },
  });
  ok(bytes !== undefined);
  const place = { address: "127.0.0.1", port: served.port };
  const answer = await askUdp(place, bytes, TIMEOUT_MS, systemClock);
  const message = decodeMessage(answer ?? new Uint8Array());
  ok(!("fault" in message));
  return message;
}
