/**
 * Every node serves the same zones with the same serials, the one that has started with an empty
 * disk too; and no node has ever served a serial below one that it had served before.
 */
import assert from "node:assert/strict";
import { SHARED_ZONE } from "../found-mesh.ts";
import { isLaterSerial } from "../../../daemon/core/zones/zone-serial.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import type { Healed } from "../heal.ts";
import type { Step } from "../site-zones.ts";

/** Changes are gathered for no longer. */
const GATHERED_MS = 2_100;

export async function zonesAreOne({ world, sites }: Healed): Promise<void> {
  await world.time.advance(GATHERED_MS);
  const [first] = sites;
  assert.ok(first !== undefined);
  const shown = first.zones.shown();
  if (shown.includes(`$ORIGIN ${SHARED_ZONE}.`)) world.sometimes.reached("a zone at the end");
  for (const site of sites) {
    assert.equal(site.zones.shown(), shown, `${site.name} and ${first.name} serve the same`);
    assert.equal(site.zones.anew(), shown, `${site.name} serves what its state says`);
  }
  const hostile = world.byzantine.site.id;
  const back = world.boxes.flatMap(({ name, serials }) =>
    serials.stretches
      .flatMap((steps) => stepsBack(steps, hostile))
      .map((text) => `${name}: ${text}`),
  );
  assert.deepEqual(back, [], "no serial goes back");
}

/**
 * A hostile author can take back what it has itself added to the count: it says how many entries
 * lie in the logs that it takes up, and may lie. What goes back with a change of its logs is its
 * doing.
 */
function stepsBack(steps: readonly Step[], hostile: SiteId): string[] {
  const highest = new Map<string, number>();
  const back: string[] = [];
  for (const { zone, serial, authors } of steps) {
    const before = highest.get(zone);
    const isBack = before !== undefined && isLaterSerial(before, serial);
    if (isBack && !authors.has(hostile)) back.push(`${zone} ${before} then ${serial}`);
    else highest.set(zone, serial);
  }
  return back;
}
