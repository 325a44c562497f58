/**
 * Builds every part of the node and connects their ports.
 *
 * This folder, `main.ts` and `ports/` are the composition root: the only place that knows all.
 * What belongs to a part stays in it; here is who gets what, and in which order they start.
 */
import type { Config } from "../config/config.ts";
import { makeWay } from "../control/server.ts";
import { startControl } from "./control.ts";
import { servicesOf, startBackups, startFeatures } from "./features.ts";
import { openFoundation, type Surroundings } from "./foundation.ts";
import { startNetwork } from "./network.ts";

export interface RunningNode {
  /** Takes over what can change while the node runs. */
  reload(config: Config): Promise<void>;
}

/** @throws PleachError when something that was configured cannot be had. */
export async function startNode(first: Config, surroundings: Surroundings): Promise<RunningNode> {
  const running = { config: first };
  // Before anything is opened: of two daemons with one configuration the second changes nothing.
  await makeWay(first.socket);
  const foundation = await openFoundation(() => running.config, surroundings);
  const [network, backups] = await startNetwork(foundation, (mesh) =>
    startBackups(foundation, mesh),
  );
  const features = await startFeatures(foundation, network, backups);
  await startControl(foundation, network, features);
  return {
    reload: async (config) => {
      running.config = config;
      network.mesh.uplinks.changed();
      backups.store.linesChanged();
      features.dns.setViews(config.dns.views);
      await features.inventory.configure(servicesOf(config));
    },
  };
}
