/** What a site was told is durable is there, unless its own disk lost it before anybody had it. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import type { Healed } from "../heal.ts";
import type { Acknowledged, SimulatedSite } from "../simulated-site.ts";
import type { World } from "../world.ts";

export function nothingConfirmedIsLost({ world, sites }: Healed): void {
  const [first] = sites;
  assert.ok(first !== undefined);
  const view = first.state.view();
  const orderOf = orderIn(world);
  for (const site of sites) {
    const latest = new Map(
      site.acknowledged.filter((write) => write.class !== "zone").map((each) => [each.key, each]),
    );
    for (const write of latest.values()) {
      const same = site.acknowledged.filter(({ key }) => key === write.key);
      // A later write that was lost does not bring back, nor hide, what it replaced.
      if (same.some((each) => world.mayBeLost.has(each))) continue;
      const also = world.clone?.of === site ? world.clone.box.acknowledged : [];
      if (also.some(({ key }) => key === write.key)) continue;
      const shown = view.get(write.class, write.key, site.id);
      const rival = rivalOf(write, same, orderOf);
      if (rival === undefined) {
        assert.deepEqual(shown?.value, write.value, `${site.name} ${write.key}`);
        world.sometimes.reached("an acknowledged write found again");
        continue;
      }
      world.sometimes.reached("an acknowledged write beside a forgotten one");
      // A snapshot that takes up both keeps the higher one, and forgets it when it is a deletion.
      if (isTakenUp(rival, orderOf(rival)[0], site, world)) {
        const values = rival.value === undefined ? [undefined, write.value] : [rival.value];
        const isOne = values.some((value) => isDeepStrictEqual(shown?.value, value));
        assert.ok(isOne, `${site.name} ${write.key} after a snapshot of both`);
        continue;
      }
      assert.deepEqual(shown?.value, rival.value, `${site.name} ${write.key}, forgotten`);
      if (write.entries.length === 0 || isDeepStrictEqual(write.value, rival.value)) continue;
      const stands = view
        .conflicts(write.class)
        .filter(({ key }) => key === write.key)
        .flatMap(({ versions }) => versions)
        .some(({ author, value }) => author === site.id && isDeepStrictEqual(value, write.value));
      assert.ok(stands, `${site.name} ${write.key} stands beside a forgotten one`);
    }
  }
}

/** Higher ones are shown: their Lamport number, then their version. */
type Order = (write: Acknowledged) => readonly [lamport: number, version: string];

function orderIn({ archive }: World): Order {
  const places = archive.byPlace();
  return ({ entries, version = "" }) => {
    const at = entries.at(-1);
    if (at === undefined) return [0, version];
    const entry: Envelope | undefined = places.get(`${at.log}/${at.seq}`)?.[0];
    assert.ok(entry !== undefined, "what was acknowledged was made known");
    return [entry.header.lamport, version];
  };
}

function isHigher([a, one]: ReturnType<Order>, [b, other]: ReturnType<Order>): boolean {
  return a > b || (a === b && one > other);
}

/**
 * A box that was put back to an older image goes on as a second box would. What it had written before
 * comes back from others, and of the two that did not know of one another the higher one is shown.
 *
 * @param same - All writes of that record, of which `write` is the last.
 * @returns The forgotten write that is shown instead.
 */
function rivalOf(
  write: Acknowledged,
  same: readonly Acknowledged[],
  orderOf: Order,
): Acknowledged | undefined {
  const isUnknown = new Set(write.unknown);
  const known = same.filter((each) => !isUnknown.has(each));
  return write.unknown
    .filter((each) => known.every((other) => isHigher(orderOf(each), orderOf(other))))
    .toSorted((a, b) => (isHigher(orderOf(a), orderOf(b)) ? -1 : 1))[0];
}

/** Whether there is a snapshot that can hold the rival and what did not know of it. */
function isTakenUp(
  { class: recordClass }: Acknowledged,
  lamport: number,
  { id }: SimulatedSite,
  { archive }: World,
): boolean {
  return [...archive.envelopes].some(({ header }) => {
    const isOfClass = header.author === id && header.class === recordClass;
    return isOfClass && header.kind === "SNAP" && header.lamport > lamport;
  });
}
