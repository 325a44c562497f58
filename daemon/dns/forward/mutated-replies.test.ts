/** Answers of upstreams with bytes changed at random: read or refused, and never passed on as more. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { questionOf } from "../../../test-mesh/dns/forwarding.ts";
import { recordOf, SOA } from "../../../test-mesh/dns/upstream-server.ts";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { decodeMessage } from "../../../protocol/dns/decode-message.ts";
import { nameKey, parseDnsName, readDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../../protocol/dns/encode-message.ts";
import { leadsInside, withoutPrivate } from "../../core/forward/private-addresses.ts";
import type { RRset } from "../../core/zones/zone.ts";
import { UDP_BYTES } from "../edns.ts";
import { Responder } from "../responder.ts";
import { ZoneTree } from "../zone-tree.ts";
import { readAttempt } from "./tls-upstream.ts";

const ROUNDS = 20_000;
const asked = {
  ...{ name: parseDnsName("www.example"), type: TYPE.A, dnssecOk: true, checkingDisabled: false },
};
const packet = questionOf("www.example", "A", { edns: { dnssecOk: true } });

function reply(): Uint8Array {
  const question = decodeMessage(packet);
  if ("fault" in question) throw new Error(question.fault);
  const bytes = encodeMessage({
    ...question,
    ...{ response: true, recursionAvailable: true },
    answers: [
      "www.example. 300 CNAME a.b.example.",
      "a.b.example. 300 A 192.0.2.1",
      "a.b.example. 300 A 192.0.2.2",
      "other.example. 300 A 192.0.2.66",
    ].map(recordOf),
    authorities: [SOA, "example. 300 NS ns.example."].map(recordOf),
    additionals: ["ns.example. 300 A 192.0.2.53"].map(recordOf),
  });
  if (bytes === undefined) throw new Error("too long");
  return bytes;
}

/** Every owner is the asked name or one that an alias before leads to, or owns a redirection. */
function isChain(sets: readonly RRset[]): boolean {
  const led = new Set([nameKey(asked.name)]);
  return sets.every(({ owner, type, rdata }) => {
    if (type === TYPE.DNAME || type === TYPE.RRSIG) return true;
    const isLed = led.has(nameKey(owner));
    const [data] = rdata;
    const target = type === TYPE.CNAME && data !== undefined && readDnsName(data, 0);
    if (target !== false && target !== undefined) led.add(nameKey(target));
    return isLed;
  });
}

test("whatever an upstream sends, what is passed on is sound and about the question", () => {
  const random = new SeededRandom(275);
  const sound = reply();
  const responder = new Responder({
    zones: new ZoneTree([]),
    ...{ siteName: "", cookieSecrets: [], guarded: [], forwards: true },
    clock: { wallMs: () => 0, monotonicMs: () => 0 },
  });
  const address = Uint8Array.of(127, 0, 0, 1);
  const client = { carrier: "udp", address, port: 1, view: "lan" } as const;
  const counts = { resolved: 0, failed: 0, silent: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const size = random.chance(0.2) ? random.below(sound.length + 1) : sound.length;
    const bytes = sound.slice(0, size);
    for (let left = 1 + random.below(4); left > 0 && size > 12; left--) {
      bytes[12 + random.below(size - 12)] = random.below(256);
    }
    const attempt = readAttempt(bytes, asked, true);
    if (attempt.kind === "silent") counts.silent += 1;
    else counts[attempt.reply.kind] += 1;
    if (attempt.kind === "silent" || attempt.reply.kind === "failed") continue;
    const { resolution } = attempt.reply;
    const answers = withoutPrivate(resolution.answers);
    ok(isChain(answers), `round ${round}`);
    ok(!answers.some(({ type, rdata }) => rdata.some((data) => leadsInside(type, data))));
    const sets = (all: readonly RRset[]) => all.map((rrset) => ({ owner: rrset.owner, rrset }));
    const told = responder.complete(packet, client, {
      answer: {
        ...{ rcode: resolution.rcode, authoritative: false, additional: [], zone: undefined },
        ...{ answer: sets(answers), authority: sets(resolution.authorities) },
        ...{ synthesized: true, unresolved: undefined },
      },
      ...{ authenticated: false, error: undefined },
    });
    ok(typeof told !== "string" && told.length <= UDP_BYTES);
    const message = decodeMessage(told);
    ok(!("fault" in message), `round ${round}: ${"fault" in message ? message.fault : ""}`);
    deepEqual([message.trailingBytes, message.questions.length], [0, 1]);
  }
  ok(counts.resolved > 1000 && counts.silent > 1000, JSON.stringify(counts));
  equal(counts.resolved + counts.failed + counts.silent, ROUNDS);
});
