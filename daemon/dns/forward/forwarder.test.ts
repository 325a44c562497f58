/** The forwarder in a server with zones, asked over UDP, with a real server behind it. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { connect } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import {
  plainPlace,
  questionOf,
  startForwarding,
  toldBy,
  type Forwarding,
} from "../../../test-mesh/dns/forwarding.ts";
import {
  framed,
  replyTo,
  SOA,
  startUpstream,
  type Received,
  type UpstreamServer,
} from "../../../test-mesh/dns/upstream-server.ts";

const WORLD: Readonly<Record<string, readonly string[]>> = {
  "www.example. A": ["www.example. 300 A 192.0.2.1"],
  "alias.example. A": ["alias.example. 60 CNAME www.example.", "www.example. 300 A 192.0.2.1"],
  "to-us.example. A": [
    "to-us.example. 60 CNAME www.bzh.example.",
    "www.bzh.example. 60 A 203.0.113.66",
  ],
  "to-lan.example. A": [
    "to-lan.example. 60 CNAME nas.bzh.example.",
    "nas.bzh.example. 60 A 203.0.113.66",
  ],
  "inside.example. A": ["inside.example. 60 A 192.168.1.1", "inside.example. 60 A 192.0.2.9"],
  "inside.example. HTTPS": ["inside.example. 60 HTTPS 1 . ipv4hint=10.0.0.1"],
  "deep.sub.bzh.example. A": ["deep.sub.bzh.example. 60 A 192.0.2.77"],
  "www.plex.example. A": ["www.plex.example. 60 A 10.1.2.3"],
};

function world(received: Received): readonly Uint8Array[] {
  const answers = WORLD[`${received.name} ${typeText(received.type)}`];
  if (answers !== undefined) return [replyTo(received, { answers })];
  return [replyTo(received, { rcode: 3, authorities: [SOA] })];
}

function typeText(type: number): string {
  return { 1: "A", 28: "AAAA", 65: "HTTPS" }[type] ?? String(type);
}

/** First lines of the answers on one connection, in their order. */
async function askTcp(
  port: number,
  names: readonly string[],
  onAnswer: (count: number) => void,
): Promise<readonly (string | undefined)[]> {
  const socket = connect({ port, host: "127.0.0.1" });
  const told: (string | undefined)[] = [];
  for (const name of names) socket.write(framed(questionOf(name, "A")));
  let pending = Buffer.alloc(0);
  for await (const part of socket as AsyncIterable<Buffer>) {
    pending = Buffer.concat([pending, part]);
    while (pending.length >= 2 && pending.length >= pending.readUInt16BE(0) + 2) {
      const size = pending.readUInt16BE(0);
      told.push(toldBy(pending.subarray(2, size + 2)).answers[0]);
      pending = pending.subarray(size + 2);
      onAnswer(told.length);
    }
    if (told.length >= names.length) break;
  }
  return told;
}

for (const threads of [0, 1]) {
  describe(`forwarding with ${threads} threads`, () => {
    let upstream: UpstreamServer;
    let lan: Forwarding;

    before(async () => {
      upstream = await startUpstream(world);
      lan = await startForwarding([plainPlace(upstream.port)], {
        allowPrivate: [parseDnsName("plex.example")],
        threads,
      });
      await lan.add("www.bzh.example", "A", "192.0.2.14");
      await lan.add("www.bzh.example", "A", "192.168.1.14", "lan");
      await lan.add("nas.bzh.example", "A", "192.168.1.15", "lan");
      await lan.add("out.bzh.example", "CNAME", "alias.example.");
      await lan.add("sub.bzh.example", "NS", "ns.elsewhere.example.");
    });
    beforeEach(() => upstream.answer(world));
    after(async () => {
      await lan.stop();
      await upstream.stop();
    });

    it("answers clients of the LAN about names of others", async () => {
      const told = await lan.ask("www.example", "A");
      deepEqual([told.status, told.answers], ["NOERROR", ["www.example. A 192.0.2.1"]]);
      const { message } = told;
      ok(message.recursionAvailable && !message.authoritative);
    });

    it("never answers anybody else about them, and offers it to nobody else", async () => {
      for (const view of ["public", "mesh"] as const) {
        const before = upstream.received.length;
        const told = await lan.ask("www.example", "A", { view });
        deepEqual([told.status, told.answers], ["REFUSED", []]);
        const own = await lan.ask("www.bzh.example", "A", { view });
        deepEqual(own.answers, ["www.bzh.example. A 192.0.2.14"]);
        const out = await lan.ask("out.bzh.example", "A", { view });
        deepEqual(out.answers, ["out.bzh.example. CNAME alias.example."]);
        for (const each of [told, own, out]) ok(!each.message.recursionAvailable);
        equal(upstream.received.length, before);
      }
    });

    it("asks nobody for a client that does not want it", async () => {
      const flags = { recursionDesired: false };
      const told = await lan.ask("www.example", "A", { flags });
      equal(told.status, "REFUSED");
      const half = await lan.ask("out.bzh.example", "A", { flags });
      deepEqual(half.answers, ["out.bzh.example. CNAME alias.example."]);
      const whole = await lan.ask("out.bzh.example", "A");
      equal(whole.answers.length, 3);
    });

    it("has the last word about names of its zones", async () => {
      const before = upstream.received.length;
      const told = await lan.ask("www.bzh.example", "A");
      deepEqual(told.answers, ["www.bzh.example. A 192.168.1.14"]);
      ok(told.message.recursionAvailable && told.message.authoritative);
      const gone = await lan.ask("a.b.bzh.example", "A");
      equal(gone.status, "NXDOMAIN");
      ok(gone.message.recursionAvailable);
      equal(upstream.received.length, before);
    });

    it("goes on where its zones lead outside", async () => {
      const out = await lan.ask("out.bzh.example", "A");
      deepEqual(out.answers, [
        "out.bzh.example. CNAME alias.example.",
        "alias.example. CNAME www.example.",
        "www.example. A 192.0.2.1",
      ]);
      ok(out.message.authoritative);
      const deep = await lan.ask("deep.sub.bzh.example", "A");
      deepEqual(deep.answers, ["deep.sub.bzh.example. A 192.0.2.77"]);
      ok(!deep.message.authoritative);
    });

    it("asks outside what belongs to the zone above its own", async () => {
      const digest = `1 13 2 ${"0".repeat(64)}`;
      upstream.answer((received) => [
        replyTo(received, { answers: [`bzh.example. 60 DS ${digest}`] }),
      ]);
      deepEqual((await lan.ask("bzh.example", "DS")).answers, [`bzh.example. DS ${digest}`]);
      const { length } = upstream.received;
      equal((await lan.ask("www.bzh.example", "DS")).answers.length, 0);
      equal(upstream.received.length, length);
    });

    it("lets a slow question be overtaken on its connection", async () => {
      const held: (() => void)[] = [];
      upstream.answer(async (received) => {
        if (received.name.startsWith("slow")) await new Promise<void>((go) => held.push(go));
        return [replyTo(received, { answers: [`${received.name} 60 A 192.0.2.1`] })];
      });
      const names = ["slow.example", "quick.example", "www.bzh.example"];
      const told = await askTcp(lan.portOf("lan"), names, (count) => {
        if (count === 2) for (const go of held) go();
      });
      equal(told.at(-1), "slow.example. A 192.0.2.1");
      equal(told.length, 3);
    });

    it("takes over where others lead to its zones", async () => {
      const told = await lan.ask("to-us.example", "A");
      // The address of www is one of the LAN, and the name that was asked for is anybody's.
      deepEqual(told.answers, ["to-us.example. CNAME www.bzh.example."]);
      await lan.add("open.bzh.example", "A", "192.0.2.15");
      upstream.answer((received) => [
        replyTo(received, {
          answers: [
            "to-open.example. 60 CNAME open.bzh.example.",
            "open.bzh.example. 60 A 203.0.113.66",
          ],
        }),
      ]);
      const open = await lan.ask("to-open.example", "A");
      deepEqual(open.answers, [
        "to-open.example. CNAME open.bzh.example.",
        "open.bzh.example. A 192.0.2.15",
      ]);
    });

    it("keeps private addresses out of answers for names of others, and says so", async () => {
      const told = await lan.ask("inside.example", "A", { edns: {} });
      deepEqual([told.answers, told.error], [["inside.example. A 192.0.2.9"], 15]);
      const hint = await lan.ask("inside.example", "HTTPS", { edns: {} });
      deepEqual([hint.status, hint.answers, hint.error], ["NOERROR", [], 15]);
      const led = await lan.ask("to-lan.example", "A", { edns: {} });
      deepEqual([led.answers, led.error], [["to-lan.example. CNAME nas.bzh.example."], 15]);
      const allowed = await lan.ask("www.plex.example", "A", { edns: {} });
      deepEqual([allowed.answers, allowed.error], [["www.plex.example. A 10.1.2.3"], undefined]);
    });

    it("answers names itself that nobody outside is asked for", async () => {
      const before = upstream.received.length;
      deepEqual((await lan.ask("localhost", "A")).answers, ["localhost. A 127.0.0.1"]);
      deepEqual((await lan.ask("a.localhost", "AAAA")).answers, ["a.localhost. AAAA ::1"]);
      for (const name of ["printer.local", "1.1.168.192.in-addr.arpa", "x.onion", "a.home.arpa"]) {
        const told = await lan.ask(name, "PTR");
        equal(told.status, "NXDOMAIN");
        equal(told.authorities.length, 1);
      }
      const single = await lan.ask("nas", "A");
      deepEqual([single.status, single.answers], ["NOERROR", []]);
      equal(upstream.received.length, before);
    });

    it("asks once for what it is asked twice", async () => {
      upstream.answer((received) => [
        replyTo(received, { answers: ["once.example. 300 A 192.0.2.2"] }),
      ]);
      const told = await Promise.all([1, 2, 3].map(() => lan.ask("once.example", "A")));
      for (const each of told) deepEqual(each.answers, ["once.example. A 192.0.2.2"]);
      await lan.ask("ONCE.example", "A");
      equal(upstream.received.filter(({ name }) => name === "once.example.").length, 1);
    });

    it("says in its log and its counts nothing of what people ask for", async () => {
      await lan.ask("secret.example", "A");
      ok(!lan.lines.join().includes("secret"));
      const { questions, forwarded, upstreams } = lan.forwarder.status();
      ok(questions > 0 && forwarded > 0);
      equal(upstreams[0]?.reached, true);
      ok(!JSON.stringify(lan.forwarder.status()).includes("example"));
    });
  });
}
