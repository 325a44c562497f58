/** Members that part from the mesh: one leaves, one is a second box, and two halves that decide apart. */
import { idOf, type SiteId } from "../../../protocol/ids.ts";
import { signStatement } from "../../../protocol/statements/statement.ts";
import type { Fault } from "../world.ts";
import { cutPower, startSite } from "./disk-faults.ts";
import { headsOf, propose, voteAt } from "./honest-operators.ts";

export const partings: readonly Fault[] = [
  {
    weight: 2,
    happen: async (world) => {
      const of = world.up.find((site) => world.honest.includes(site));
      if (world.clone !== undefined || of === undefined) return;
      await startSite(world, world.double(of));
      world.sometimes.reached("a second box with the same key");
    },
  },
  {
    weight: 1,
    happen: async (world) => {
      const site = world.honest.at(-1);
      if (site === undefined || !site.isUp || world.left !== undefined) return;
      const { state, id } = site;
      if (!state.authority().isMember(id) || world.clone?.of === site) return;
      const key = world.keyOf(site);
      const heads = headsOf(state, id);
      const by = idOf<SiteId>(key.publicKey);
      const leave = { v: 1, kind: "LEAVE", mesh: world.mesh, by, heads } as const;
      if (await world.tell(site, [signStatement(leave, [key])])) world.left = site;
      world.sometimes.reached("a site leaves");
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const { random, operators, rogue, flooder, network, time } = world;
      const [one, other] = random.shuffled(world.up);
      const [left, right, careless] = operators;
      if (one === undefined || other === undefined) return;
      if (left === undefined || right === undefined || careless === undefined) return;
      network.partition(
        [one.box],
        world.up.filter((site) => site !== one).map(({ box }) => box),
      );
      // Each half decides by itself, with the two that vote on both sides.
      const all = [...operators, rogue, flooder].filter(({ id }) => {
        return one.state.authority().operators.has(id);
      });
      await world.tell(one, [propose(world, left, one, { operators: all, features: ["left"] })]);
      await world.tell(other, [
        propose(world, right, other, { operators: all, features: ["right"] }),
      ]);
      for (const site of [one, other]) {
        for (const by of [rogue, careless]) {
          if (site.isUp) await voteAt(world, by, site, () => true);
        }
      }
      await time.advance(2_000);
      const counts = [one, other].filter((site) => site.isUp && site.state.authority().epoch.n > 0);
      if (counts.length === 2) world.sometimes.reached("two halves decide apart");
    },
  },
  {
    weight: 1,
    happen: async (world) => {
      const site = world.random.pick(world.up);
      if (world.up.length < 3 || site.isUp === false) return;
      cutPower(world, site);
      // Away for longer than anything is kept; the clocks of the others go on as well.
      for (const box of world.boxes) box.clock.jump(100 * 24 * 3_600_000);
      world.sometimes.reached("away for a hundred days");
    },
  },
];
