/** Signed questions: a key shows zones, and makes nobody a client of the LAN. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  plainPlace,
  questionOf,
  startForwarding,
  toldBy,
} from "../../../test-mesh/dns/forwarding.ts";
import {
  replyTo,
  startUpstream,
  type UpstreamServer,
} from "../../../test-mesh/dns/upstream-server.ts";
import { siteIdOf } from "../../../test-mesh/dns/static-source.ts";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { findTsig } from "../../../protocol/dns/tsig.ts";
import { TsigSigner, verifyTsigAnswer, type TsigKey } from "../../../protocol/dns/tsig-mac.ts";
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { ZoneKey } from "../../core/zones/zone-keys.ts";
import { silentLogger } from "../../observe/log.ts";
import { systemClock } from "../../observe/system-clock.ts";
import { askUdp } from "../ask.ts";
import { Requests } from "../requests.ts";

const TIMEOUT_MS = 20_000;
const KEY: TsigKey = {
  ...{ name: parseDnsName("friend"), algorithm: "hmac-sha256", secret: new Uint8Array(32).fill(7) },
};
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

let upstream: UpstreamServer;
let lan: Awaited<ReturnType<typeof startForwarding>>;

before(async () => {
  upstream = await startUpstream((received) => [
    replyTo(received, { answers: [`${received.name} 300 A 192.0.2.1`] }),
  ]);
  const right: ZoneKey = {
    ...{ zone: parseDnsName("bzh.example"), name: KEY.name, author: siteIdOf("quimper") },
    ...{ algorithm: KEY.algorithm, check: "0".repeat(32), transfer: true, update: [] },
    view: "lan",
  };
  const transactions = new Requests({
    ...{ zones: () => [], catalog: undefined, secondaries: [], log: silentLogger },
    keys: { find: () => [{ tsig: KEY, rights: [right] }] },
    update: () => Promise.resolve(5),
    clock: systemClock,
  });
  lan = await startForwarding([plainPlace(upstream.port)], { transactions });
  await lan.add("www.bzh.example", "A", "192.0.2.14");
  await lan.add("www.bzh.example", "A", "192.168.1.14", "lan");
  await lan.add("out.bzh.example", "CNAME", "www.elsewhere.example.");
});
after(async () => {
  await lan.stop();
  await upstream.stop();
});

/** The answer to a signed question, whose signature was checked. */
async function askSigned(name: string, view: ZoneView) {
  const signer = new TsigSigner(KEY, undefined, nowSeconds);
  const packet = signer.sign(questionOf(name, "A"));
  const place = { address: "127.0.0.1", port: lan.portOf(view) };
  const answer = await askUdp(place, packet, TIMEOUT_MS, systemClock);
  ok(answer !== undefined, "no answer");
  const tsig = findTsig(answer);
  ok(tsig !== "none" && tsig !== "malformed");
  equal(verifyTsigAnswer(answer, tsig, KEY, signer.mac, nowSeconds()), "ok");
  return toldBy(answer);
}

test("a client of the LAN that signs is answered about all names", async () => {
  deepEqual((await askSigned("www.elsewhere.example", "lan")).answers, [
    "www.elsewhere.example. A 192.0.2.1",
  ]);
  equal((await askSigned("out.bzh.example", "lan")).answers.length, 2);
});

test("a key shows the LAN's side of its zone from anywhere, and nothing of others", async () => {
  const { length } = upstream.received;
  const shown = await askSigned("www.bzh.example", "public");
  deepEqual(shown.answers, ["www.bzh.example. A 192.168.1.14"]);
  const half = await askSigned("out.bzh.example", "public");
  deepEqual(half.answers, ["out.bzh.example. CNAME www.elsewhere.example."]);
  const other = await askSigned("www.elsewhere.example", "public");
  equal(other.status, "REFUSED");
  for (const told of [shown, half, other]) ok(!told.message.recursionAvailable);
  equal(upstream.received.length, length);
  // What was made for it is no answer for the LAN.
  equal((await lan.ask("out.bzh.example", "A")).answers.length, 2);
});
