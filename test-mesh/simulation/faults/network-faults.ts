/** Lines that break, stand still, carry one way only, and meshes that fall apart. */
import type { BoxName } from "../../fakes/transport.ts";
import type { Fault, World } from "../world.ts";

function boxNames(world: World): BoxName[] {
  return [...world.boxes, world.byzantine.site].map(({ box }) => box);
}

function pair(world: World): readonly [BoxName, BoxName] {
  const names = boxNames(world);
  return [world.random.pick(names), world.random.pick(names)];
}

/** All lines carry again. */
export function healNetwork(world: World): void {
  const names = boxNames(world);
  for (const a of names) for (const b of names) world.network.thaw(a, b);
  world.network.heal();
}

export const networkFaults: readonly Fault[] = [
  {
    weight: 8,
    happen: (world) => {
      const [a, b] = pair(world);
      // What is under way on a line that is cut is lost.
      if (world.network.linked(a, b)) world.sometimes.reached("a line is cut");
      world.network.cut(a, b);
    },
  },
  {
    weight: 4,
    happen: (world) => {
      const [a, b] = pair(world);
      if (world.network.linked(a, b)) world.sometimes.reached("a line stands still");
      world.network.freeze(a, b);
    },
  },
  {
    weight: 5,
    happen: (world) => {
      const [from, to] = pair(world);
      if (world.network.linked(from, to)) world.sometimes.reached("a line carries one way only");
      world.network.freezeOneWay(from, to);
    },
  },
  {
    weight: 7,
    happen: (world) => {
      const names = world.random.shuffled(boxNames(world));
      const middle = 1 + world.random.below(names.length - 1);
      world.network.partition(names.slice(0, middle), names.slice(middle));
      world.sometimes.reached("the mesh falls apart");
    },
  },
  { weight: 8, happen: healNetwork },
];
