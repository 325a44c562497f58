import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { AnswerCache } from "./answer-cache.ts";
import { askedKey, sizeOf, type Resolution } from "./resolution.ts";

function resolution(ttl: number, records = 1): Resolution {
  const owner = parseDnsName("www.example");
  const rdata = Array.from({ length: records }, () => Uint8Array.of(192, 0, 2, 1));
  return {
    ...{ rcode: 0, authorities: [], authenticated: false, error: undefined },
    answers: [{ owner, type: TYPE.A, ttl, rdata }],
  };
}

const asked = (name: string) => ({
  ...{ name: parseDnsName(name), type: TYPE.A, dnssecOk: false, checkingDisabled: false },
});

test("one question has one key, whatever its case", () => {
  const key = askedKey(asked("www.example"));
  assert.equal(askedKey(asked("WWW.Example")), key);
  const others = [
    asked("ww.example"),
    { ...asked("www.example"), type: TYPE.AAAA },
    { ...asked("www.example"), dnssecOk: true },
    { ...asked("www.example"), checkingDisabled: true },
  ];
  assert.equal(new Set([key, ...others.map(askedKey)]).size, 5);
});

test("a short TTL is kept for 5 s and a long one for a day", () => {
  const cache = new AnswerCache({ maxBytes: 100_000, staleMs: 0 });
  cache.keep("short", TYPE.A, resolution(0), 0);
  cache.keep("long", TYPE.A, resolution(10_000_000), 0);
  assert.equal(cache.find("short", 4999)?.endsAtMs, 5000);
  assert.equal(cache.find("short", 5000), undefined);
  assert.equal(cache.find("long", 1000)?.endsAtMs, 86_400_000);
});

test("what is asked for again survives a flood of names that are asked for once", () => {
  const cache = new AnswerCache({ maxBytes: 100_000, staleMs: 0 });
  for (let index = 0; index < 20; index++) {
    cache.keep(`used ${index}`, TYPE.A, resolution(300), 0);
    cache.find(`used ${index}`, 1);
  }
  for (let index = 0; index < 10_000; index++) {
    cache.keep(`flood ${index}`, TYPE.A, resolution(300), 2);
  }
  for (let index = 0; index < 20; index++) assert.ok(cache.find(`used ${index}`, 3));
  assert.equal(cache.find("flood 0", 3), undefined);
});

test("whatever is done, it holds no more than it may, and never what has ended", () => {
  const random = new SeededRandom(7);
  const limits = { maxBytes: 40_000, staleMs: 30_000 };
  const cache = new AnswerCache(limits);
  const model = new Map<string, { resolution: Resolution; atMs: number; ttl: number }>();
  let nowMs = 0;
  for (let step = 0; step < 20_000; step++) {
    nowMs += random.below(500);
    const key = `k${random.below(200)}`;
    if (random.below(2) === 0) {
      const ttl = 5 + random.below(60);
      const made = resolution(ttl, 1 + random.below(60));
      cache.keep(key, TYPE.A, made, nowMs);
      model.set(key, { resolution: made, atMs: nowMs, ttl });
    } else {
      const found = cache.find(key, nowMs);
      const known = model.get(key);
      if (found === undefined) continue;
      assert.equal(found.resolution, known?.resolution);
      assert.ok(nowMs < (known?.atMs ?? 0) + (known?.ttl ?? 0) * 1000 + limits.staleMs);
    }
    assert.ok(cache.sizeBytes <= limits.maxBytes, `${cache.sizeBytes} bytes`);
  }
  assert.ok(cache.size > 3);
});

test("one answer that would fill it is not kept", () => {
  const big = resolution(300, 1000);
  const cache = new AnswerCache({ maxBytes: sizeOf(big) * 2, staleMs: 0 });
  cache.keep("big", TYPE.A, big, 0);
  assert.equal(cache.size, 0);
});
