/**
 * Sites that die, and disks that lose, forget, lie and fill up.
 */
import assert from "node:assert/strict";
import { prefixRange } from "../../../daemon/core/store.ts";
import { RESERVE_BYTES } from "../../../daemon/inventory/disk-guard.ts";
import {
  copyKey,
  ENTRIES,
  entryKey,
  statementKey,
  STATEMENTS,
} from "../../../daemon/state/keys.ts";
import type { SiteId, StatementId } from "../../../protocol/ids.ts";
import { StateError } from "../../../daemon/state/state-error.ts";
import type { FakeDisk } from "../../fakes/store.ts";
import type { Acknowledged, SimulatedSite } from "../simulated-site.ts";
import type { Fault, World } from "../world.ts";

const EMPTY_DISK_BYTES = 2 ** 40;

type Image = ReturnType<FakeDisk["image"]>;
const images = new WeakMap<SimulatedSite, Image>();

/** A running site that the others can do without. */
function spare(world: World): SimulatedSite | undefined {
  return world.up.length < 3 ? undefined : world.random.pick(world.up);
}

/** The power goes. Whatever the site had made known is on its disk. */
export function cutPower(world: World, site: SimulatedSite): void {
  const announced = world.announcedBy(site);
  world.forgetAnnounced(site);
  const lost = site.kill();
  if (lost > 0) world.sometimes.reached("an unsynced tail is lost");
  for (const item of announced) {
    const { id, at } = item;
    const key = at === undefined ? statementKey(id as StatementId) : entryKey(at.log, at.seq);
    const isThere = site.disk.content.has(key) || site.disk.deleted.has(key);
    assert.ok(isThere, `${site.name} made known what its disk has lost: ${key}`);
  }
}

/** Starts a site on what its disk holds, and puts back what no site can get from others. */
export async function startSite(world: World, site: SimulatedSite): Promise<void> {
  if (site.isUp) return;
  site.disk.freeBytes = EMPTY_DISK_BYTES;
  try {
    await site.start();
  } catch (error) {
    if (!(error instanceof StateError) || error.code !== "E-STATE-STORE") throw error;
    // The statement that founds the mesh was damaged: people bring it from another box.
    world.sometimes.reached("the first statement is damaged");
    site.disk.apply([world.genesis], true);
    await site.start();
  }
}

/** Writes that only this box has are gone with its disk, or its image; so is what it remembers. */
function noteLosses(world: World, site: SimulatedSite): void {
  const others = world.heldUp.filter((each) => each.site !== site);
  world.heldUp.splice(0, Infinity, ...others);
  // The sixth site says what it likes.
  const isHonest = (by: SiteId): boolean => world.honest.some(({ id }) => id === by);
  for (const write of site.acknowledged) {
    const confirmed =
      site.isUp && write.entries.every((entry) => site.state.confirmedBy(entry).some(isHonest));
    if (!confirmed) world.mayBeLost.add(write);
    else if (!world.mayBeLost.has(write)) world.sometimes.reached("confirmed before a loss");
  }
}

/** Writes of other sites of which this one has a copy. */
function writesHeldBy({ boxes }: World, { disk, id }: SimulatedSite): readonly Acknowledged[] {
  const others = boxes.filter((box) => box.id !== id);
  return others.flatMap(({ acknowledged }) => acknowledged.filter((each) => holds(disk, each)));
}

/** The author may have lost its own before: whoever confirmed them had the last ones. */
function noteLastCopies({ boxes, mayBeLost }: World, writes: readonly Acknowledged[]): void {
  for (const write of writes) {
    if (!boxes.some(({ disk }) => holds(disk, write))) mayBeLost.add(write);
  }
}

function holds({ content }: FakeDisk, { entries }: Acknowledged): boolean {
  return entries.length > 0 && entries.every(({ log, seq }) => content.has(entryKey(log, seq)));
}

/** Three records of some kind, or the two copies of the statement that founds the mesh. */
function damagedKeys({ random, genesis }: World, disk: FakeDisk): string[] {
  const range = random.pick([ENTRIES, STATEMENTS, prefixRange(""), undefined]);
  if (range === undefined) return [genesis.key, copyKey(genesis.key)];
  const keys = [...disk.content.keys()].filter((key) => key >= range.from && key < range.to);
  return keys.length === 0 ? [] : [1, 2, 3].map(() => random.pick(keys));
}

export const diskFaults: readonly Fault[] = [
  {
    weight: 7,
    happen: (world) => {
      const site = spare(world);
      if (site === undefined) return;
      cutPower(world, site);
      world.sometimes.reached("a power cut");
    },
  },
  {
    weight: 4,
    happen: (world) => {
      const site = spare(world);
      if (site === undefined) return;
      world.forgetAnnounced(site);
      site.crash();
      world.sometimes.reached("a crash");
    },
  },
  {
    weight: 14,
    happen: async (world) => {
      const dead = world.boxes.filter(({ isUp }) => !isUp);
      if (dead.length === 0) return;
      await startSite(world, world.random.pick(dead));
      world.sometimes.reached("a restart");
    },
  },
  {
    weight: 4,
    happen: ({ random, up }) => {
      const site = random.pick(up);
      images.set(site, site.disk.image());
    },
  },
  {
    weight: 3,
    happen: async (world) => {
      const site = world.up.find((each) => images.has(each));
      const image = site === undefined ? undefined : images.get(site);
      if (site === undefined || image === undefined || world.up.length < 3) return;
      noteLosses(world, site);
      const held = writesHeldBy(world, site);
      cutPower(world, site);
      site.disk.restore(image);
      await startSite(world, site);
      site.noteForgotten();
      noteLastCopies(world, held);
      world.sometimes.reached("a disk put back to an older image");
    },
  },
  {
    weight: 3,
    happen: async (world) => {
      const site = spare(world);
      if (site === undefined) return;
      const keys = damagedKeys(world, site.disk);
      if (keys.length === 0) return;
      noteLosses(world, site);
      const held = writesHeldBy(world, site);
      cutPower(world, site);
      for (const key of keys) {
        if (site.disk.content.get(key)?.length) site.disk.flipBit(key, world.random.below(2 ** 24));
      }
      world.damaged.add(site);
      const pruned = new Set(site.disk.deleted);
      await startSite(world, site);
      site.noteForgotten();
      noteLastCopies(world, held);
      // What the start throws away as damaged was not pruned: it may be lost to all.
      for (const key of site.disk.deleted.difference(pruned)) site.disk.deleted.delete(key);
      world.sometimes.reached("a flipped bit");
    },
  },
  {
    weight: 3,
    happen: (world) => {
      const site = world.random.pick(world.up);
      // Others leave too little for a write, or nothing at all.
      site.disk.freeBytes = world.random.pick([RESERVE_BYTES, 512]);
    },
  },
  {
    weight: 4,
    happen: ({ boxes }) => {
      for (const { disk } of boxes) disk.freeBytes = EMPTY_DISK_BYTES;
    },
  },
];
