/**
 * A box that comes with an empty disk, however late, gets all that counts from what the others have
 * kept, and shows the same.
 */
import assert from "node:assert/strict";
import { differences } from "../differences.ts";
import { startSite } from "../faults/disk-faults.ts";
import type { Healed } from "../heal.ts";

const WITHIN_MS = 3 * 121_000;

export async function pruningChangesNothing({ world, sites, random }: Healed): Promise<void> {
  const box = random.pick(sites);
  const other = sites.find((site) => site !== box);
  assert.ok(other !== undefined);
  if (sites.some(({ disk }) => [...disk.deleted].some((key) => key.startsWith("entry/")))) {
    world.sometimes.reached("something was pruned");
  }
  box.kill();
  box.disk.restore(new Map());
  await startSite(world, box);
  box.noteForgotten();
  // As a box that joins gets them from its issuer.
  await box.state.addStatements(other.state.statements());
  const digest = ({ state }: typeof box): string =>
    state.replica.stateDigest() + state.replica.statementDigest();
  const isEqual = (): boolean => digest(box) === digest(other);
  await world.time.until(isEqual, WITHIN_MS).catch((cause: unknown) => {
    throw new Error(`not equal again: ${differences([box, other])}`, { cause });
  });
  assert.equal(box.state.view().hash, other.state.view().hash, differences([box, other]));
}
