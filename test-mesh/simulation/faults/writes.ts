/** What sites do all day: records about themselves, and records that several of them write. */
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import { SHARED_ZONE, sharedKey } from "../found-mesh.ts";
import { service } from "../simulated-mesh.ts";
import type { SimulatedSite } from "../simulated-site.ts";
import type { Fault, World } from "../world.ts";
import { cutPower } from "./disk-faults.ts";

/** Few, so that they are overwritten, deleted and written at two sites at once. */
const HOSTS = ["www", "mx", "ns"] as const;

function alias(world: World): JsonValue {
  return { ttl: 300, data: `n${world.random.below(250)}.${SHARED_ZONE}.`, view: "public" };
}

async function write(world: World, site: SimulatedSite): Promise<boolean> {
  const { random } = world;
  if (random.chance(0.5)) {
    const name = `n${random.below(12)}`;
    const value = random.chance(0.15) ? undefined : service(`${name}.${random.below(1_000)}`);
    return site.write("site", `service/${name}`, value);
  }
  if (!site.state.authority().mayWrite(site.id, "zone", sharedKey("www"))) return true;
  const value = random.chance(0.15) ? undefined : alias(world);
  return site.write("zone", sharedKey(random.pick(HOSTS)), value);
}

export const writes: readonly Fault[] = [
  {
    weight: 30,
    happen: async (world) => {
      const site = world.random.pick(world.up);
      if (!site.state.authority().isMember(site.id)) return;
      const free = site.disk.freeBytes;
      if (!(await write(world, site)) && site.isUp && free < 2 ** 30) {
        world.sometimes.reached("a write refused on a full disk");
      }
    },
  },
  {
    weight: 4,
    happen: async (world) => {
      if (world.up.length < 3) return;
      const site = world.random.pick(world.up);
      if (!site.state.authority().isMember(site.id)) return;
      const lost = site.write("site", "service/lost", service(`lost ${world.random.below(1_000)}`));
      // Some steps into it, so that each moment of a write is hit once.
      for (let step = world.random.below(40); step > 0; step--) await Promise.resolve();
      if (site.isUp) cutPower(world, site);
      if (!(await lost)) world.sometimes.reached("a power cut during a write");
    },
  },
  {
    weight: 3,
    happen: async (world) => {
      const site = world.random.pick(world.up);
      if (!site.state.authority().isMember(site.id)) return;
      // More than a log takes between two snapshots, in one go.
      for (let index = 0; index < 30 && site.isUp; index++) {
        const text = "x".repeat(7_000 + index);
        await site.write("note", "runbook/long", { title: "long", text });
      }
      world.sometimes.reached("a snapshot after many updates");
    },
  },
];
