/**
 * Two halves that are cut apart both import one zone, with serials of the servers that they took it
 * over from. When they meet, and when a person settles it, no serial goes back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isLaterSerial } from "../../daemon/core/zones/zone-serial.ts";
import { conflictPort } from "../../daemon/ports/conflicts.ts";
import type { SimulatedSite } from "./simulated-site.ts";
import { SimulatedMesh } from "./simulated-mesh.ts";

const ZONE = "hedge.example";
const GATHERED_MS = 2_100;
const KEY = `${ZONE}/@/SOA/only`;

function imported(site: SimulatedSite, serial: number, address: string) {
  const at = { zone: ZONE, ttl: 300 };
  const soa = `ns.${ZONE}. root.${ZONE}. ${serial} 3600 300 1209600 60`;
  const puts = [
    { ...at, name: ZONE, type: "SOA", data: soa },
    { ...at, name: `www.${ZONE}`, type: "A", data: address },
  ];
  return site.zones.bulk.apply({ puts, removes: [], last: true });
}

for (const [left, right] of [
  [2_026_010_100, 2_025_123_104],
  [7, 2_026_010_100],
  [1_000_000_000, 1_000_000_000],
] as const) {
  test(`serials ${left} and ${right}, imported apart`, async () => {
    const mesh = await SimulatedMesh.form({ seed: left + right, siteCount: 2 });
    const [one, other] = mesh.sites;
    assert.ok(one && other);
    mesh.network.partition([one.id], [other.id]);
    await mesh.time.resolve(imported(one, left, "192.0.2.1"));
    await mesh.time.resolve(imported(other, right, "192.0.2.2"));
    assert.deepEqual([one, other].map(serialAt), [left, right], "each stands as its file says");
    await mesh.time.resolve(one.zones.editor.edit(added("192.0.2.3")));
    await mesh.time.resolve(other.zones.editor.edit(added("192.0.2.4")));
    const apart = [one, other].map(serialAt);

    mesh.network.heal();
    await mesh.untilEqual(60_000);
    await mesh.time.advance(GATHERED_MS);
    const merged = serialAt(one);
    assert.equal(one.zones.shown(), other.zones.shown());
    for (const before of apart) assert.ok(isLaterSerial(merged, before), `${merged}, ${before}`);

    // Whichever of the two records a person keeps, the serial goes on.
    const port = conflictPort(one.state, (changes) => one.state.write(changes));
    const conflict = (await port.conflicts()).find(({ key }) => key === KEY);
    const lower = conflict?.versions.find(({ value }) =>
      data(value).includes(String(Math.min(left, right))),
    );
    await mesh.time.resolve(port.keep([lower?.id ?? ""]));
    await mesh.untilEqual(60_000);
    await mesh.time.advance(GATHERED_MS);
    assert.equal(one.zones.shown(), other.zones.shown());
    assert.ok(isLaterSerial(serialAt(one), merged), `${serialAt(one)}, ${merged}`);
    assert.deepEqual(one.state.view().get("zone", KEY)?.conflicts, []);
  });
}

function added(address: string) {
  return { action: "add", name: `www.${ZONE}`, type: "A", data: [address] } as const;
}

function data(value: unknown): string {
  return String((value as { readonly data?: unknown } | null)?.data);
}

function serialAt(site: SimulatedSite): number {
  return Number(/SOA\t\S+ \S+ (\d+)/.exec(site.zones.shown())?.[1]);
}
