/**
 * A member that signs what an author must not sign: two entries for one place, two snapshots after
 * one, updates that harm, and more logs than anybody keeps.
 */
import { HOSTILE_UPDATES } from "../hostile-updates.ts";
import type { Fault } from "../world.ts";
import { bytesOf, nextLamport, someLog, update } from "./hostile-author.ts";

/** More than anybody keeps of one part. */
const MANY_LOGS = 20;

export const forkingAuthor: readonly Fault[] = [
  {
    weight: 4,
    happen: async (world) => {
      const { random, byzantine } = world;
      const log = await someLog(world, world.up);
      const [one, other] = [random.pick(world.up), random.pick(world.up)];
      const branch = log.branch();
      const ours = [update(world, log, one)];
      const theirs = [update(world, branch, other)];
      if (ours[0]?.id === theirs[0]?.id) return;
      while (random.chance(0.5)) theirs.push(update(world, branch, other));
      await byzantine.push(one, bytesOf(ours));
      await byzantine.push(other, bytesOf(theirs));
      byzantine.logs.push(branch);
      byzantine.forked.add(log.log);
      world.sometimes.reached("a fork at one place");
    },
  },
  {
    weight: 4,
    happen: async (world) => {
      const { random, byzantine } = world;
      const log = await someLog(world, world.up);
      const [one, other] = [random.pick(world.up), random.pick(world.up)];
      const branch = log.branch();
      const ours = [
        update(world, log, one),
        log.snap(nextLamport(world, log)),
        update(world, log, one),
      ];
      const theirs = [
        update(world, branch, other),
        update(world, branch, other),
        branch.snap(nextLamport(world, branch)),
        update(world, branch, other),
      ];
      await byzantine.push(one, bytesOf(ours));
      // The other gets only what stands behind the snapshot: it cannot see where they part.
      await byzantine.push(other, bytesOf(theirs.slice(2)));
      if (random.chance(0.5)) await byzantine.push(other, bytesOf(theirs));
      byzantine.logs.push(branch);
      byzantine.forked.add(log.log);
      world.sometimes.reached("a fork behind a snapshot");
    },
  },
  {
    weight: 4,
    happen: async (world) => {
      const { random, byzantine } = world;
      const log = await someLog(world, world.up);
      const [name, make] = random.pick(Object.entries(HOSTILE_UPDATES));
      const { id, clock } = log.client;
      const payload = make({ id, clock }, random);
      const clocks = { clockBefore: clock, clockAfter: clock + random.below(2) };
      const entry = log.hostile(nextLamport(world, log), payload, clocks);
      byzantine.forbid(entry.bytes, `an update that ${name}`);
      for (const site of world.up)
        if (random.chance(0.6)) await byzantine.push(site, [entry.bytes]);
      // Whatever it signs for that place later contradicts this.
      byzantine.forked.add(log.log);
      world.sometimes.reached("a hostile update");
    },
  },
  {
    weight: 4,
    happen: async (world) => {
      const to = world.random.pick(world.up);
      const logs = Array.from({ length: MANY_LOGS }, () => world.byzantine.open("offer"));
      const entries = logs.map((log) => log.snap(nextLamport(world, log)));
      await world.byzantine.push(to, bytesOf(entries));
      world.sometimes.reached("a flood of logs");
    },
  },
];
