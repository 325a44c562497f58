import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import type { UplinkRule } from "../core/backup/uplink-rule.ts";
import { Uplinks } from "./uplinks.ts";

const HOUR_MS = 3_600_000;
const RULE: UplinkRule = {
  ...{ name: "adsl", interface: undefined, upload: 125_000, download: undefined },
  ...{ hours: undefined, outside: undefined, metered: false },
};
const FOUR_G = { ...RULE, name: "4g", interface: "wwan0", metered: true };
const ADDRESSES = new Map([
  ["192.0.2.7", "eth0"],
  ["198.51.100.9", "wwan0"],
]);

function stage(rules: UplinkRule[]) {
  const time = new FakeTime();
  const clock = time.clock();
  const startMs = clock.wallMs();
  const uplinks = new Uplinks({
    clock,
    rules: () => rules,
    // Noon when the test begins.
    minuteOfDay: (wallMs) => (12 * 60 + Math.floor((wallMs - startMs) / 60_000)) % 1440,
    interfaceOf: (address) => ADDRESSES.get(address),
  });
  return { time, uplinks };
}

test("a connection is under the rule of its interface, else under the one for all others", () => {
  const { uplinks } = stage([RULE, FOUR_G]);
  assert.equal(uplinks.opensInMs("198.51.100.9", "spread"), Number.POSITIVE_INFINITY);
  for (const address of ["192.0.2.7", "203.0.113.1", undefined]) {
    assert.equal(uplinks.opensInMs(address, "spread"), 0);
  }
  const adsl = uplinks.lineOf("192.0.2.7");
  assert.ok(adsl !== undefined);
  assert.equal(uplinks.lineOf(undefined), adsl, "one line, whoever is at its end");
  assert.notEqual(uplinks.lineOf("198.51.100.9"), adsl);
  assert.equal(adsl.send.halfSecondBytes, 62_500);
  uplinks.stop();
});

test("where nothing fits, nothing is bounded", () => {
  const { uplinks } = stage([FOUR_G]);
  assert.equal(uplinks.lineOf("192.0.2.7"), undefined);
  assert.equal(uplinks.opensInMs("192.0.2.7", "spread"), 0);
  assert.equal(stage([]).uplinks.lineOf("192.0.2.7"), undefined);
});

test("hours that end are noticed by who waits for the line, and new rules at once", async () => {
  const rules = [{ ...RULE, upload: 1000, hours: { from: 11 * 60, to: 13 * 60 } }];
  const { time, uplinks } = stage(rules);
  const flow = { urgency: "spread", owner: "a", set: "1" } as const;
  const line = uplinks.lineOf(undefined);
  assert.ok(line !== undefined);
  await line.send.pass(flow, 10_000_000);
  let failure: unknown;
  line.send.pass(flow, 1000).catch((error: unknown) => (failure = error));
  await time.advance(HOUR_MS - 10_000);
  assert.equal(failure, undefined);
  await time.advance(20_000);
  assert.match(String(failure), /no copies are made over this line/i);
  // To the minute.
  const waitMs = uplinks.report()[0]?.opensInMs ?? 0;
  assert.ok(Math.abs(waitMs - 22 * HOUR_MS) <= 70_000, `${waitMs} ms`);
  rules.splice(0);
  assert.equal(uplinks.opensInMs(undefined, "spread"), 0);
  await line.send.pass(flow, 1000);
  uplinks.stop();
});
