import { deepEqual, equal, ok } from "node:assert/strict";
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { waitFor } from "../../../test-mesh/wait.ts";
import type { Clock } from "../../core/clock.ts";
import type { Zone } from "../../core/zones/zone.ts";
import { silentLogger } from "../../observe/log.ts";
import { systemClock } from "../../observe/system-clock.ts";
import { OPCODE } from "../../../protocol/dns/dns-code.ts";
import { decodeMessage } from "../../../protocol/dns/decode-message.ts";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { findTsig } from "../../../protocol/dns/tsig.ts";
import { TsigSigner, verifyTsig, type TsigKey } from "../../../protocol/dns/tsig-mac.ts";
import { catalogZone } from "./catalog.ts";
import { Notifier } from "./notifier.ts";

const APEX = parseDnsName("mesh.example");
const KEY: TsigKey = {
  ...{ name: parseDnsName("friend"), algorithm: "hmac-sha256" },
  secret: new Uint8Array(32).fill(7),
};
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** Any zone will do: this one has a SOA record. */
function zoneOf(serial: number): Zone {
  return catalogZone(APEX, [], serial);
}

const ANSWER_MS = 5000;

/**
 * A hundred seconds pass in one; what is waited for is noted. An answer that will come has all of its
 * time, on a slow machine, too.
 */
function fastClock(waitsMs: number[], answers: () => boolean): Clock {
  return {
    wallMs: () => systemClock.wallMs(),
    monotonicMs: () => systemClock.monotonicMs(),
    random: (size) => systemClock.random(size),
    after: (delayMs, act) => {
      waitsMs.push(delayMs);
      const isPatient = delayMs === ANSWER_MS && answers();
      return systemClock.after(isPatient ? delayMs : delayMs / 100, act);
    },
  };
}

/** A secondary that gives each NOTIFY to `hear`, which may answer it. */
async function secondary(
  t: TestContext,
  hear: (packet: Buffer, answer: (bytes: Uint8Array) => void) => void,
): Promise<number> {
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  socket.on("message", (packet, from: RemoteInfo) =>
    hear(packet, (bytes) => socket.send(bytes, from.port, from.address)),
  );
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket.address().port;
}

function answerTo(packet: Uint8Array): Uint8Array {
  const answer = Uint8Array.from(packet);
  answer[2] = (answer[2] ?? 0) | 0x80;
  return answer;
}

function serialIn(packet: Uint8Array): number | undefined {
  const message = decodeMessage(packet);
  ok(!("fault" in message));
  equal(message.opcode, OPCODE.NOTIFY);
  deepEqual(
    message.questions.map(({ name, type }) => [name, type]),
    [[APEX, TYPE.SOA]],
  );
  const [soa] = message.answers;
  return soa && Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 20);
}

test("tells each serial once, again until it is heard, with longer and longer waits", async (t) => {
  const heard: (number | undefined)[] = [];
  const waitsMs: number[] = [];
  const port = await secondary(t, (packet, answer) => {
    heard.push(serialIn(packet));
    if (heard.length === 3) answer(answerTo(packet));
  });
  let serial = 1;
  const notifier = new Notifier({
    secondaries: [{ address: "127.0.0.1", port, key: undefined, view: "public", zones: undefined }],
    zones: () => [zoneOf(serial)],
    keyOf: () => undefined,
    keyView: () => undefined,
    ...{ clock: fastClock(waitsMs, () => heard.length >= 2), log: silentLogger },
  });
  t.after(() => notifier.stop());
  notifier.changed();
  notifier.changed();
  await waitFor("three tellings", 30_000, () => heard.length === 3);
  deepEqual(heard, [1, 1, 1]);
  deepEqual(
    waitsMs.filter((waitMs) => waitMs !== ANSWER_MS),
    [2000, 4000],
  );
  serial = 2;
  notifier.changed();
  await waitFor("the next serial", 30_000, () => heard.length === 4);
  equal(heard[3], 2);
});

test("signs by the key, and believes only an answer that is signed", async (t) => {
  let count = 0;
  const told = Promise.withResolvers<void>();
  const port = await secondary(t, (packet, answer) => {
    const tsig = findTsig(packet);
    ok(typeof tsig !== "string");
    equal(verifyTsig(packet, tsig, KEY, nowSeconds()), "ok");
    count += 1;
    const plain = packet.subarray(0, tsig.start);
    const bare = answerTo(plain);
    bare[11] = 0;
    // The first answer could be from anybody.
    if (count === 1) return answer(bare);
    answer(new TsigSigner(KEY, tsig.mac, nowSeconds).sign(bare));
    told.resolve();
  });
  const notifier = new Notifier({
    secondaries: [
      { address: "127.0.0.1", port, key: "friend", view: "public", zones: ["mesh.example"] },
    ],
    zones: () => [zoneOf(7)],
    keyOf: () => KEY,
    keyView: () => "public",
    ...{ clock: fastClock([], () => true), log: silentLogger },
  });
  t.after(() => notifier.stop());
  notifier.changed();
  await told.promise;
  equal(count, 2);
});
