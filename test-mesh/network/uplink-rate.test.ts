/** What is configured for a line holds for the bulk that goes over it, and leaves room for the rest. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Channel } from "../../daemon/core/transport.ts";
import type { UplinkRule, Urgency } from "../../daemon/core/backup/uplink-rule.ts";
import { linkAll, startMembers } from "./mesh-world.ts";

const SETTLE_MS = 500;
const MEASURE_MS = 2000;
const RULE: UplinkRule = {
  ...{ name: "adsl", interface: undefined, upload: undefined, download: undefined },
  ...{ hours: undefined, outside: undefined, metered: false },
};

/** Site "a" has the line; "b" and "c" take what comes and answer pings. */
async function stage(context: TestContext, rule: UplinkRule) {
  const line = { rules: [rule] };
  const { meshes } = await startMembers(["a", "b", "c"], { uplinks: () => line.rules });
  const [a, b, c] = meshes;
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  let running = true;
  context.after(async () => {
    running = false;
    await Promise.all(meshes.map((mesh) => mesh.stop()));
  });
  const taken = new Map<string, number>();
  for (const mesh of [b, c]) {
    mesh.handle("/pleach/shard/1", async (channel) => {
      const name = Buffer.from((await channel.receive(5000)) ?? []).toString();
      for (;;) {
        const frame = await channel.receive(60_000);
        if (frame === undefined) return;
        taken.set(name, (taken.get(name) ?? 0) + frame.length);
      }
    });
    mesh.handle("/pleach/presence/1", async (channel) => {
      for (;;) {
        const frame = await channel.receive(60_000);
        if (frame === undefined) return;
        await channel.send(frame);
      }
    });
  }
  await linkAll(meshes);
  const bulk = async (to: typeof b, name: string, urgency: Urgency = "spread") => {
    const channel: Channel = await a.open(to.self, "/pleach/shard/1", 5000);
    await channel.send(Buffer.from(name));
    const [owner = "", set = ""] = name.split("/");
    channel.carries?.({ urgency, owner, set });
    const over = (async () => {
      const frame = new Uint8Array(32 * 1024);
      while (running) await channel.send(frame);
    })().then(
      () => "ended",
      (error: unknown) => String(error),
    );
    return { over };
  };
  /** Bytes per second of each while other words are timed. */
  const measure = async () => {
    const pings = await a.open(b.self, "/pleach/presence/1", 5000);
    await sleep(SETTLE_MS);
    taken.clear();
    let worstMs = 0;
    const startMs = performance.now();
    while (performance.now() - startMs < MEASURE_MS) {
      const sentMs = performance.now();
      await pings.send(new Uint8Array(200));
      await pings.receive(20_000);
      worstMs = Math.max(worstMs, performance.now() - sentMs);
      await sleep(50);
    }
    const seconds = (performance.now() - startMs) / 1000;
    const rates = new Map([...taken].map(([name, bytes]) => [name, bytes / seconds]));
    const total = [...rates.values()].reduce((sum, rate) => sum + rate, 0);
    return { rates, total, worstMs };
  };
  return { a, b, c, line, bulk, measure };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

test("two peers and three data sets share a configured rate, by owner", async (context) => {
  const { b, c, bulk, measure } = await stage(context, { ...RULE, upload: 500_000 });
  await bulk(b, "one/1");
  await bulk(c, "two/1");
  await bulk(c, "two/2");
  const { rates, total, worstMs } = await measure();
  const said = JSON.stringify([...rates, worstMs]);
  assert.ok(total * 1.05 < 500_000 * 1.1 && total * 1.05 > 500_000 * 0.75, said);
  const one = rates.get("one/1") ?? 0;
  assert.ok(one > total * 0.4 && one < total * 0.6, said);
  assert.ok(worstMs < 1000, said);
});

test("what comes is kept to its rate as well", async (context) => {
  const rule = { ...RULE, download: 400_000 };
  const { b, bulk, measure } = await stage(context, rule);
  await bulk(b, "one/1");
  const { total, worstMs } = await measure();
  // What was under way without being acknowledged comes on top once.
  assert.ok(total * 1.05 < 400_000 * 1.3 && total > 400_000 * 0.6, `${total} B/s, ${worstMs} ms`);
});

test("outside its hours a line carries what a person waits for and nothing else", async (context) => {
  const { a, b, line, bulk } = await stage(context, RULE);
  assert.equal(a.opensInMs(b.self, "spread"), 0);
  const copies = await bulk(b, "one/1");
  const restore = await bulk(b, "two/1", "restore");
  await sleep(200);
  line.rules = [{ ...RULE, metered: true }];
  a.uplinks.changed();
  assert.match(await copies.over, /E-MESH-HOURS|no copies|cut/i);
  assert.equal(a.opensInMs(b.self, "spread"), Number.POSITIVE_INFINITY);
  assert.equal(a.opensInMs(b.self, "restore"), 0);
  assert.equal(await Promise.race([restore.over, sleep(300).then(() => "goes on")]), "goes on");
});
