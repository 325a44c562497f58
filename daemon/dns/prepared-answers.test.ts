/** What is kept of answers that are long. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { after, before, test } from "node:test";
import { serveZones, type ServedZones } from "../../test-mesh/dns/served-zone.ts";
import { questionOf, toldBy } from "../../test-mesh/dns/forwarding.ts";
import { systemClock } from "../observe/system-clock.ts";
import type { Client } from "./client.ts";
import { Responder } from "./responder.ts";

let served: ServedZones;

before(async () => {
  served = await serveZones();
  await served.editor.addZone("mesh.example", undefined, 0);
  const words = (count: number) =>
    Array.from({ length: count }, (_, at) => `"${"x".repeat(80)} ${at}"`);
  for (const [name, count] of [
    ["long", 40],
    ["mean", 8],
  ] as const) {
    const data = words(count);
    await served.editor.edit({ action: "add", name: `${name}.mesh.example`, type: "TXT", data });
  }
  await served.server.reload();
});
after(() => served.stop());

function fresh(): Responder {
  return new Responder({
    ...{ zones: served.server.tree(), siteName: "", cookieSecrets: [], guarded: [] },
    ...{ forwards: false, clock: systemClock },
  });
}

function ask(responder: Responder, name: string, carrier: Client["carrier"], udpBytes?: number) {
  const edns = udpBytes === undefined ? {} : { edns: { udpBytes } };
  const client: Client = { carrier, address: Uint8Array.of(127, 0, 0, 1), port: 9, view: "public" };
  const answer = responder.respond(questionOf(`${name}.mesh.example`, "TXT", edns), client);
  ok(typeof answer !== "string");
  const { message } = toldBy(answer.slice());
  return { count: message.answers.length, cut: message.truncated, aa: message.authoritative };
}

const CUT = { count: 0, cut: true, aa: true };

test("what is told to one who has little room is not told to those who have more", () => {
  const responder = fresh();
  for (let round = 0; round < 2; round++) {
    deepEqual(ask(responder, "mean", "udp"), CUT);
    deepEqual(ask(responder, "mean", "udp", 512), CUT);
    deepEqual(ask(responder, "mean", "udp", 1232), { count: 8, cut: false, aa: true });
    deepEqual(ask(responder, "long", "udp", 1232), CUT);
    deepEqual(ask(responder, "long", "tcp"), { count: 40, cut: false, aa: true });
  }
});

test("no answer that is longer than one of UDP is kept: a few bytes can ask for 64 KiB", () => {
  const responder = fresh();
  ask(responder, "long", "tcp");
  equal(responder.preparedCount, 0);
  ask(responder, "mean", "tcp");
  equal(responder.preparedCount, 1);
});
