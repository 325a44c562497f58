/** What a site was told is durable is there, unless its own disk lost it before anybody had it. */
import assert from "node:assert/strict";
import type { Healed } from "../heal.ts";

export function nothingConfirmedIsLost({ world, sites }: Healed): void {
  const [first] = sites;
  assert.ok(first !== undefined);
  const view = first.state.view();
  for (const site of sites) {
    const latest = new Map(
      site.acknowledged.filter((write) => write.class !== "zone").map((each) => [each.key, each]),
    );
    for (const write of latest.values()) {
      // A later write that was lost does not bring back, nor hide, what it replaced.
      if (site.acknowledged.some((each) => each.key === write.key && world.mayBeLost.has(each))) {
        continue;
      }
      const shown = view.get(write.class, write.key, site.id);
      const also = world.clone?.of === site ? world.clone.box.acknowledged : [];
      if (also.some(({ key }) => key === write.key)) continue;
      assert.deepEqual(shown?.value, write.value, `${site.name} ${write.key}`);
      world.sometimes.reached("an acknowledged write found again");
    }
  }
}
