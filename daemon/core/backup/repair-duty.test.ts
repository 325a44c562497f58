import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { idOf, sha256, type OwnerId, type SetId, type SiteId } from "../../../protocol/ids.ts";
import { isOnDuty, rendezvousOrder } from "./repair-duty.ts";

const owner = idOf<OwnerId>(sha256("owner"));
const set = idOf<SetId>(sha256("set").subarray(0, 16));
const sites = Array.from({ length: 8 }, (_, at) => idOf<SiteId>(sha256(`site ${at}`)));
const group = { owner, set, group: 3 };
const times = { settleMs: 10, takeoverMs: 100 };

test("exactly one acts first, the next a day later, and nobody who does not hold the group", () => {
  const holders = rendezvousOrder(group, sites.slice(0, 3));
  const onDuty = (needMs: number): readonly SiteId[] =>
    sites.filter((self) => isOnDuty({ ...group, ...times, self, holders, needMs }));
  const inOrder = (count: number) =>
    sites.filter((site) => holders.indexOf(site) >= 0 && holders.indexOf(site) < count);
  assert.deepEqual(onDuty(9), []);
  assert.deepEqual(onDuty(10), inOrder(1));
  assert.deepEqual(onDuty(109), inOrder(1));
  assert.deepEqual(onDuty(110), inOrder(2));
  assert.deepEqual(onDuty(1e9), inOrder(3));
});

test("law: the order does not depend on how it is asked, and one that goes moves nobody else", () => {
  const random = new SeededRandom(5);
  for (let round = 0; round < 50; round++) {
    const some = random.shuffled(sites).slice(0, 1 + random.below(8));
    const order = rendezvousOrder({ ...group, group: round }, some);
    assert.deepEqual(rendezvousOrder({ ...group, group: round }, random.shuffled(some)), order);
    const gone = random.pick(some);
    assert.deepEqual(
      rendezvousOrder(
        { ...group, group: round },
        some.filter((site) => site !== gone),
      ),
      order.filter((site) => site !== gone),
    );
  }
});

test("the first place is shared evenly over many groups", () => {
  const first = new Map<SiteId, number>();
  for (let number = 0; number < 800; number++) {
    const [leader] = rendezvousOrder({ ...group, group: number }, sites);
    if (leader !== undefined) first.set(leader, (first.get(leader) ?? 0) + 1);
  }
  for (const site of sites) assert.ok((first.get(site) ?? 0) > 50, `${first.get(site)}`);
});
