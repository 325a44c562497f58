/** Zones that are brought in as files, and changes of zones that are taken back. */
import { SHARED_ZONE } from "../found-mesh.ts";
import type { SimulatedSite } from "../simulated-site.ts";
import type { Fault, World } from "../world.ts";

/** Does something at a site, which may die of it, be full, or have no right to it any more. */
async function edit<Done>(
  world: World,
  site: SimulatedSite,
  act: () => Promise<Done>,
): Promise<Done | undefined> {
  const { state } = site;
  try {
    return await act();
  } catch (error) {
    if (!site.isUp || site.state !== state) return undefined;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "E-NO-SPACE") world.sometimes.reached("an import refused on a full disk");
    else if (code !== "E-STATE-RIGHT" && code !== "E-DNS-UNDO") throw error;
    return undefined;
  }
}

export const imports: readonly Fault[] = [
  {
    weight: 4,
    happen: async (world) => {
      const { random } = world;
      const site = random.pick(world.up);
      const zone = SHARED_ZONE;
      const puts = [1, 2, 3].map((each) => ({
        ...{ zone, name: `i${each}.${zone}`, type: "A", ttl: 300 },
        data: `198.51.100.${random.below(20)}`,
      }));
      const imported = () => site.zones.bulk.apply({ puts, removes: [], last: true });
      const done = await edit(world, site, imported);
      const change = done?.change ?? undefined;
      if (change === undefined) return;
      world.sometimes.reached("an import");
      if (!site.isUp || !random.chance(0.3)) return;
      if (await edit(world, site, () => site.zones.bulk.undo(change))) {
        world.sometimes.reached("an import is taken back");
      }
    },
  },
];
