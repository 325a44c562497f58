import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import type { ServiceRecord } from "../../protocol/logs/record.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { FakeHost } from "../../test-mesh/fakes/host.ts";
import { silentLogger } from "../observe/log.ts";
import { factsShape } from "./facts.ts";
import { hostFacts } from "./host-facts.ts";
import { Inventory } from "./inventory.ts";

const wiki: ServiceRecord = {
  name: "wiki",
  addresses: ["192.0.2.1"],
  ports: [],
  maintainers: [],
};
const moved: ServiceRecord = { ...wiki, addresses: ["192.0.2.2"] };

/** The site's records in a map that counts how often it is written. */
async function world() {
  const records = new Map<string, JsonValue>();
  const written: (readonly string[])[] = [];
  const state = { member: true };
  const time = new FakeTime();
  const clock = time.clock();
  const inventory = new Inventory({
    records: {
      mayWrite: () => state.member,
      own: (prefix) =>
        [...records]
          .filter(([key]) => key.startsWith(prefix))
          .map(([key, value]) => ({ key, value })),
      write: async (changes) => {
        written.push(changes.map(({ key }) => key));
        for (const { key, value } of changes) {
          if (value === undefined) records.delete(key);
          else records.set(key, value);
        }
      },
    },
    node: () => ({ addresses: [], version: "0.1.0", dns: [] }),
    facts: () => hostFacts(new FakeHost(), "/data", clock.wallMs()),
    clock,
    log: silentLogger,
  });
  return { inventory, records, written, state, time };
}

test("says what the node and the machine are, once", async () => {
  const { inventory, records, written, time } = await world();
  await inventory.configure([]);
  assert.deepEqual([...records.keys()].sort(), ["facts", "node"]);
  assert.equal(factsShape.safeParse(records.get("facts")).success, true);
  await time.advance(5 * 3_600_000);
  await inventory.refresh();
  assert.equal(written.length, 1, "only the time of collection has changed");
});

test("writes nothing before the site is a member, and all of it afterwards", async () => {
  const { inventory, records, state } = await world();
  state.member = false;
  await inventory.configure([wiki]);
  assert.equal(records.size, 0);
  state.member = true;
  await inventory.refresh();
  assert.deepEqual([...records.keys()].sort(), ["facts", "node", "service/wiki"]);
});

test("a service of the configuration leaves with it; one of a command stays", async () => {
  const { inventory, records } = await world();
  await inventory.configure([wiki]);
  assert.equal(await inventory.addService({ ...wiki, name: "agenda" }, false), "added");
  await inventory.configure([]);
  assert.deepEqual([...records.keys()].sort(), ["facts", "node", "service/agenda"]);
});

test("a command never changes what the configuration declares", async () => {
  const { inventory, records } = await world();
  await inventory.configure([wiki]);
  const before = records.get("service/wiki");
  await assert.rejects(inventory.addService(moved, true), { code: "E-SERVICE-CONFIG" });
  await assert.rejects(inventory.removeService("wiki"), { code: "E-SERVICE-CONFIG" });
  assert.deepEqual(records.get("service/wiki"), before);
});

test("addresses of the mesh and the LAN are told when there are some", async () => {
  const { inventory, records } = await world();
  const near = { ...wiki, mesh: ["100.64.0.1"], lan: ["192.168.1.1", "fd00::1"] };
  await inventory.addService(near, false);
  assert.deepEqual(records.get("service/wiki"), { declared: "command", ...near });
  assert.equal(await inventory.addService({ ...wiki, mesh: [], lan: [] }, true), "changed");
  assert.deepEqual(records.get("service/wiki"), { declared: "command", ...wiki });
  assert.equal(await inventory.addService(wiki, true), "unchanged");
});

test("a taken name needs replace, and the same again changes nothing", async () => {
  const { inventory, written } = await world();
  assert.equal(await inventory.addService(wiki, false), "added");
  await assert.rejects(inventory.addService(moved, false), { code: "E-SERVICE-TAKEN" });
  assert.equal(await inventory.addService(wiki, true), "unchanged");
  assert.equal(await inventory.addService(moved, true), "changed");
  await inventory.removeService("wiki");
  await assert.rejects(inventory.removeService("wiki"), { code: "E-SERVICE-UNKNOWN" });
  assert.equal(written.length, 3);
});
