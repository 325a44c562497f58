/** What is kept, for how long, and what is told when nobody answers; on a clock that the test turns. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { recordOf, SOA } from "../../../test-mesh/dns/upstream-server.ts";
import { RCODE } from "../../../protocol/dns/dns-code.ts";
import { formatDnsName, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { Asked, Resolution } from "../../core/forward/resolution.ts";
import { readReply } from "../../core/forward/upstream-reply.ts";
import { silentLogger } from "../../observe/log.ts";
import { Resolver } from "./resolver.ts";
import type { Attempt, Upstream, UpstreamPlace } from "./upstream.ts";
import { UpstreamGroup } from "./upstream-group.ts";

const DAY_MS = 86_400_000;

interface Line {
  readonly answers?: readonly string[];
  readonly authorities?: readonly string[];
  readonly rcode?: number;
}

/** Answers from a table, as slowly as it is told to, or not at all; time is the test's. */
class TableUpstream implements Upstream {
  readonly place: UpstreamPlace = {
    ...{ kind: "plain", address: "192.0.2.53", port: 53, name: undefined },
  };
  readonly table = new Map<string, Line>();
  readonly asked: Asked[] = [];
  readonly #time: ReturnType<FakeTime["clock"]>;
  isCut = false;
  /** Names that it never answers. */
  readonly mute = new Set<string>();
  delayMs = 10;

  constructor(time: FakeTime) {
    this.#time = time.clock();
  }

  ask(asked: Asked, timeoutMs: number): Promise<Attempt> {
    const name = formatDnsName(asked.name);
    if (name !== ".") this.asked.push(asked);
    const { isCut } = this;
    const isMute = this.mute.has(name);
    const delayMs = isCut || isMute ? timeoutMs : this.delayMs;
    return new Promise((resolve) => {
      this.#time.after(Math.min(delayMs, timeoutMs), () => {
        if (isCut || isMute || delayMs >= timeoutMs) {
          return resolve({ kind: "silent", reason: "no answer in time" });
        }
        const { answers = [], authorities = [], rcode = 0 } = this.table.get(name) ?? {};
        const message = {
          ...{ id: 0, response: true, opcode: 0, authoritative: false, truncated: false, rcode },
          ...{ recursionDesired: true, recursionAvailable: true, reserved: false },
          ...{ authenticData: true, checkingDisabled: false, questions: [], additionals: [] },
          answers: answers.map(recordOf),
          authorities: authorities.map(recordOf),
        };
        resolve({ kind: "answered", reply: readReply(message, asked, true) });
      });
    });
  }

  close(): void {}
}

function start(staleMs = DAY_MS) {
  const time = new FakeTime();
  const clock = time.clock();
  const upstream = new TableUpstream(time);
  const group = new UpstreamGroup([upstream], clock, silentLogger);
  const resolver = new Resolver({
    ...{ upstreams: group, zones: [], allowPrivate: [], clock },
    cache: { maxBytes: 1024 * 1024, staleMs },
  });
  const ask = async (name: string, more: Partial<Asked> = {}, type: number = TYPE.A) => {
    const asked = { name: parseDnsName(name), type, dnssecOk: false, checkingDisabled: false };
    const startMs = time.nowMs;
    const told = await time.resolve(resolver.resolve({ ...asked, ...more }));
    return { ...told, tookMs: time.nowMs - startMs };
  };
  return { time, upstream, resolver, ask };
}

const WWW: Line = { answers: ["www.example. 300 A 192.0.2.1"] };
const ttlOf = ({ answers }: Resolution): number | undefined => answers[0]?.ttl;

test("an answer is kept as long as it lasts, and its TTL runs down", async () => {
  const { time, upstream, ask } = start();
  upstream.table.set("www.example.", WWW);
  equal(ttlOf(await ask("www.example")), 300);
  await time.advance(100_000);
  equal(ttlOf(await ask("WWW.example")), 200);
  equal(upstream.asked.length, 1);
  await time.advance(200_000);
  equal(ttlOf(await ask("www.example")), 300);
  equal(upstream.asked.length, 2);
});

test("what is not there is kept by the SOA record, for an hour at most", async () => {
  const { time, upstream, ask } = start();
  upstream.table.set("no.example.", { rcode: RCODE.NXDOMAIN, authorities: [SOA] });
  const told = await ask("no.example");
  deepEqual([told.rcode, told.authorities[0]?.ttl], [RCODE.NXDOMAIN, 300]);
  await time.advance(299_000);
  equal((await ask("no.example")).authorities[0]?.ttl, 0 + 300 - 299);
  equal(upstream.asked.length, 1);
  await time.advance(2000);
  await ask("no.example");
  equal(upstream.asked.length, 2);
  const long = SOA.replace(" 300", " 86400").replace(" 600 SOA", " 86400 SOA");
  upstream.table.set("never.example.", { rcode: RCODE.NXDOMAIN, authorities: [long] });
  await ask("never.example");
  await time.advance(3_601_000);
  await ask("never.example");
  equal(upstream.asked.length, 4);
});

test("questions with other wishes have answers of their own", async () => {
  const { upstream, ask } = start();
  upstream.table.set("www.example.", WWW);
  await ask("www.example");
  await ask("www.example", { dnssecOk: true });
  await ask("www.example", { checkingDisabled: true });
  await ask("www.example", {}, TYPE.TXT);
  equal(upstream.asked.length, 4);
});

test("the line is cut: what has expired is told, soon, and for a day", async () => {
  const { time, upstream, resolver, ask } = start();
  upstream.table.set("www.example.", WWW);
  await ask("www.example");
  await time.advance(301_000);
  upstream.isCut = true;
  const first = await ask("www.example");
  deepEqual([ttlOf(first), first.error, first.tookMs], [30, 3, 1800]);
  await time.advance(60_000);
  // By now nobody is waited for.
  const second = await ask("www.example");
  deepEqual([ttlOf(second), second.tookMs], [30, 0]);
  equal(resolver.states()[0]?.reached, false);
  const unknown = await ask("other.example");
  deepEqual([unknown.rcode, unknown.error, unknown.tookMs], [RCODE.SERVFAIL, 23, 0]);
  await time.advance(DAY_MS);
  equal((await ask("www.example")).rcode, RCODE.SERVFAIL);
});

test("the line is back: within seconds names are asked for again", async () => {
  const { time, upstream, resolver, ask } = start();
  upstream.table.set("www.example.", WWW);
  upstream.isCut = true;
  const told = await ask("www.example");
  equal(told.rcode, RCODE.SERVFAIL);
  ok(told.tookMs < 4600, `a dead line was waited for ${told.tookMs} ms`);
  await time.advance(600_000);
  const tried = upstream.asked.length;
  upstream.isCut = false;
  await time.advance(12_100);
  equal(resolver.states()[0]?.reached, true);
  equal(ttlOf(await ask("www.example")), 300);
  // To find out, nobody's question was used.
  equal(upstream.asked.length, tried + 1);
});

test("a name that nobody can resolve takes no upstream away from others", async () => {
  const { upstream, resolver, ask } = start();
  upstream.table.set("www.example.", WWW);
  upstream.mute.add("broken.example.");
  const told = await ask("broken.example");
  deepEqual([told.rcode, told.tookMs], [RCODE.SERVFAIL, 4600]);
  equal(resolver.states()[0]?.reached, true);
  equal(ttlOf(await ask("www.example")), 300);
});

test("an upstream that refuses is not asked again at once, and old answers are better", async () => {
  const { time, upstream, ask } = start();
  upstream.table.set("www.example.", WWW);
  upstream.table.set("bad.example.", { rcode: RCODE.SERVFAIL });
  equal((await ask("bad.example")).rcode, RCODE.SERVFAIL);
  equal((await ask("bad.example")).rcode, RCODE.SERVFAIL);
  equal(upstream.asked.length, 1);
  await time.advance(5100);
  await ask("bad.example");
  equal(upstream.asked.length, 2);
  await ask("www.example");
  await time.advance(301_000);
  upstream.table.set("www.example.", { rcode: RCODE.REFUSED });
  const old = await ask("www.example");
  deepEqual([ttlOf(old), old.error], [30, 3]);
  const before = upstream.asked.length;
  await time.advance(29_000);
  equal(ttlOf(await ask("www.example")), 30);
  equal(upstream.asked.length, before);
});

test("a name that is gone is gone, whatever was kept of it", async () => {
  const { time, upstream, ask } = start();
  upstream.table.set("www.example.", WWW);
  await ask("www.example");
  await time.advance(301_000);
  upstream.table.set("www.example.", { rcode: RCODE.NXDOMAIN, authorities: [SOA] });
  equal((await ask("www.example")).rcode, RCODE.NXDOMAIN);
});

test("names that are asked for often are renewed before they expire", async () => {
  const { time, upstream, ask } = start();
  upstream.table.set("www.example.", WWW);
  upstream.table.set("rare.example.", { answers: ["rare.example. 300 A 192.0.2.3"] });
  await ask("rare.example");
  for (let times = 0; times < 4; times++) await ask("www.example");
  equal(upstream.asked.length, 2);
  await time.advance(280_000);
  equal(ttlOf(await ask("www.example")), 20);
  await ask("rare.example");
  await time.advance(1100);
  equal(upstream.asked.length, 3);
  equal(ttlOf(await ask("www.example")), 299);
});

test("nothing is kept behind its end where that is not wanted", async () => {
  const { time, upstream, ask } = start(0);
  upstream.table.set("www.example.", WWW);
  await ask("www.example");
  await time.advance(301_000);
  upstream.isCut = true;
  equal((await ask("www.example")).rcode, RCODE.SERVFAIL);
});
