/**
 * Ends all faults and lets the mesh become equal.
 */
import { entryKey } from "../../daemon/state/keys.ts";
import { unsealEntry } from "../../daemon/state/sealed-entries.ts";
import { encodeStatement } from "../../protocol/statements/statement.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";
import { differences } from "./differences.ts";
import { startSite } from "./faults/disk-faults.ts";
import { healNetwork } from "./faults/network-faults.ts";
import { whatIsSuspendedIsHeldUp } from "./invariants/what-is-suspended-is-held-up.ts";
import { settle } from "./settle.ts";
import { service } from "./simulated-mesh.ts";
import type { SimulatedSite } from "./simulated-site.ts";
import type { World } from "./world.ts";

/** What every site writes at the end. */
export const LAST_KEY = "service/last";
/** Three rounds of the longest pause between two of them. */
export const EQUAL_WITHIN_MS = 3 * 121_000;

/** A mesh after its faults: what the invariants look at. */
export interface Healed {
  readonly world: World;
  /** Honest members, all up and linked. */
  readonly sites: readonly SimulatedSite[];
  /** One of them, which was started anew and has then gone on to write as all have. */
  readonly restarted: SimulatedSite;
  /** The bytes of all statements that the mesh has. */
  readonly statements: readonly Uint8Array[];
  /** The bytes of all entries that the mesh has, or had and pruned; not those that all have lost. */
  readonly entries: readonly Uint8Array[];
  /** How long it took after the last link and the last decision. */
  readonly equalAfterMs: number;
  readonly random: SeededRandom;
}

export async function heal(world: World): Promise<Healed> {
  const { clone, time } = world;
  healNetwork(world);
  if (clone !== undefined && clone.box.isUp) clone.box.crash();
  for (const site of world.honest) await startSite(world, site);
  for (const { disk } of world.honest) disk.freeBytes = 2 ** 40;
  healNetwork(world);
  const isMember = (site: SimulatedSite): boolean =>
    site !== world.left && site.state.authority().isMember(site.id);
  const sites = world.honest.filter(isMember);
  const linked = (): boolean =>
    sites.every(({ transport }) =>
      sites.every(({ id }) => id === transport.self || transport.links().includes(id)),
    );
  // A site that holds up what a suspended operator enrolled does not know all others yet.
  await time.advance(20_000);
  whatIsSuspendedIsHeldUp(world);
  await settle(world, sites);
  await time.until(linked, 200_000, "every link");
  const digests = (): string[] =>
    sites.map(({ state }) => state.replica.stateDigest() + state.replica.statementDigest());
  const isEqual = (): boolean => new Set(digests()).size === 1;
  const untilEqual = (): Promise<number> =>
    time.until(isEqual, EQUAL_WITHIN_MS).catch((cause: unknown) => {
      throw new Error(`not equal after ${EQUAL_WITHIN_MS} ms: ${differences(sites)}`, { cause });
    });
  const equalAfterMs = await untilEqual();
  const restarted = world.random.pick(sites);
  restarted.crash();
  await startSite(world, restarted);
  await time.until(linked, 200_000, "every link once more");
  for (const site of sites) await time.resolve(site.write("site", LAST_KEY, service(site.name)));
  await time.advance(1_000);
  await untilEqual();
  const entries = entriesOf(world, sites);
  const statements = sites[0]?.state.statements().map(encodeStatement) ?? [];
  return { world, sites, restarted, statements, entries, equalAfterMs, random: world.random };
}

/**
 * The entries that are stored somewhere, and those that were pruned. What all have lost, to an older
 * image or a flipped bit, the mesh cannot know of.
 */
function entriesOf({ archive }: World, sites: readonly SimulatedSite[]): Uint8Array[] {
  const latestFirst = [...archive.envelopes].toSorted((a, b) => b.header.seq - a.header.seq);
  const rivals = archive.byPlace();
  const builtOn = new Set<string>();
  // What is pruned of a log comes before something that is left of it. One that had to make room for
  // others went as a whole, and may have come back in part.
  const last = new Map<string, number>();
  for (const { disk } of sites) {
    for (const key of disk.content.keys()) {
      const [kind, log, seq] = key.split("/");
      if (kind !== "entry" || log === undefined) continue;
      last.set(log, Math.max(last.get(log) ?? 0, Number(seq)));
    }
  }
  return latestFirst.flatMap(({ id, log, header, bytes }) => {
    const key = entryKey(log, header.seq);
    const stored = sites.flatMap(({ disk }) => {
      const value = disk.content.get(key);
      return value === undefined ? [] : [unsealEntry(key, value)];
    });
    const isStored = stored.some((each) => each !== undefined && Buffer.compare(each, bytes) === 0);
    const isPruned =
      stored.length === 0 &&
      header.seq < (last.get(log) ?? 0) &&
      sites.some(({ disk }) => disk.deleted.has(key)) &&
      (rivals.get(`${log}/${header.seq}`)?.length === 1 || builtOn.has(id));
    if (!isStored && !isPruned) return [];
    if (header.prev !== null) builtOn.add(header.prev);
    return [bytes];
  });
}
