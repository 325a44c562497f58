import { deepEqual, equal } from "node:assert/strict";
import { it } from "node:test";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { createLogger } from "../../observe/log.ts";
import { OtherServers } from "./other-servers.ts";

const ZONE = parseDnsName("mesh.example");
const WAIT_MS = 5000;
const [GOOD, SILENT] = [
  { address: "192.0.2.1", port: 53 },
  { address: "192.0.2.2", port: 53 },
];

it("waits for a node that gives no serial once, and again when it gives one", async () => {
  const time = new FakeTime();
  const clock = time.clock();
  const lines: string[] = [];
  const log = createLogger("info", (line) => lines.push(line));
  const given = new Map<string, number>([[GOOD.address, 7]]);
  const others = new OtherServers(clock, log, async ({ address }, _zone, timeoutMs) => {
    const serial = given.get(address);
    if (serial === undefined) await new Promise<void>((done) => clock.after(timeoutMs, done));
    return serial;
  });
  const servers = [GOOD, SILENT];
  const start = time.nowMs;

  equal(await time.resolve(others.whenServed(servers, ZONE, 7, WAIT_MS)), 1);
  equal(time.nowMs >= start + WAIT_MS, true, "it might have answered");

  // The clock stands still: whoever is waited for now would be waited for for ever.
  equal(await others.whenServed(servers, ZONE, 7, WAIT_MS), 0);
  given.set(SILENT.address, 6);
  equal(await others.whenServed(servers, ZONE, 7, WAIT_MS), 0, "as before, but it has answered");
  deepEqual(
    lines.map((line) => /does not tell|tells us/.exec(line)?.[0]),
    ["does not tell", "tells us"],
  );

  equal(await time.resolve(others.whenServed(servers, ZONE, 7, WAIT_MS)), 1, "it is behind");
  equal(lines.length, 2, "which is no silence");
});
