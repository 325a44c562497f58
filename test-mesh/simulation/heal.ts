/**
 * Ends all faults and lets the mesh become equal.
 */
import { entryKey } from "../../daemon/state/keys.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";
import type { FakeDisk } from "../fakes/store.ts";
import { healNetwork } from "./faults/network-faults.ts";
import { startSite } from "./faults/disk-faults.ts";
import { differences } from "./differences.ts";
import type { SimulatedSite } from "./simulated-site.ts";
import type { World } from "./world.ts";

/** Three rounds of the longest pause between two of them. */
const EQUAL_WITHIN_MS = 3 * 121_000;

/** A mesh after its faults: what the invariants look at. */
export interface Healed {
  readonly world: World;
  /** Honest members, all up and linked. */
  readonly sites: readonly SimulatedSite[];
  /** The bytes of all entries that the mesh has, or had and pruned; not those that all have lost. */
  readonly entries: readonly Uint8Array[];
  readonly random: SeededRandom;
}

export async function heal(world: World): Promise<Healed> {
  const { clone, time, sometimes } = world;
  healNetwork(world);
  if (clone !== undefined && clone.box.isUp) clone.box.crash();
  for (const site of world.honest) await startSite(world, site);
  for (const { disk } of world.honest) disk.freeBytes = 2 ** 40;
  healNetwork(world);
  const sites = world.honest.filter((site) => site.state.authority().isMember(site.id));
  const linked = (): boolean =>
    sites.every(({ transport }) =>
      sites.every(({ id }) => id === transport.self || transport.links().includes(id)),
    );
  await time.until(linked, 200_000, "every link");
  const digests = (): string[] =>
    sites.map(({ state }) => state.replica.stateDigest() + state.replica.statementDigest());
  const isEqual = (): boolean => new Set(digests()).size === 1;
  const tookMs = await time.until(isEqual, EQUAL_WITHIN_MS).catch((cause: unknown) => {
    throw new Error(`not equal after ${EQUAL_WITHIN_MS} ms: ${differences(sites)}`, { cause });
  });
  if (tookMs < 10_000) sometimes.reached("equal within ten seconds");
  const entries = [...world.archive.envelopes].flatMap(({ log, header, bytes }) => {
    const key = entryKey(log, header.seq);
    const has = ({ content, deleted }: FakeDisk): boolean => content.has(key) || deleted.has(key);
    return sites.some(({ disk }) => has(disk)) ? [bytes] : [];
  });
  return { world, sites, entries, random: world.random };
}
