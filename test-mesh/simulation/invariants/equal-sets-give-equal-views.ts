/** Every order, duplication, batching and restart gives the same view. */
import assert from "node:assert/strict";
import { differences } from "../differences.ts";
import { FreshState } from "../fresh-state.ts";
import type { Healed } from "../heal.ts";

export async function equalSetsGiveEqualViews(given: Healed): Promise<void> {
  const { sites, entries, random } = given;
  const [first] = sites;
  assert.ok(first !== undefined);
  const shown = new Set(sites.map((site) => site.fingerprint()));
  assert.equal(shown.size, 1, "sites that hold the same show the same, and the same serials");

  const { state } = first;
  const digests = state.replica.statementDigest() + " " + state.replica.stateDigest();
  const expected = `${digests} ${state.view().hash}`;
  const statements = random.shuffled(given.statements);
  const envelopes = random.shuffled(entries);
  const fresh = new FreshState();
  // Entries before what lets them count, twice, with a new start in between.
  const half = Math.floor(envelopes.length / 2);
  await fresh.feed(statements, envelopes.slice(0, half));
  await fresh.start();
  await fresh.feed(random.shuffled(statements), random.shuffled([...envelopes, ...envelopes]));
  const compared = (): string =>
    differences([
      { name: "the mesh", state },
      { name: "another order", state: fresh.state },
    ]);
  assert.equal(fresh.fingerprint(), expected, `another order gives the same: ${compared()}`);
  await fresh.start();
  assert.equal(fresh.fingerprint(), expected, `and so does a new start: ${compared()}`);
}
