/** What a node builds from its disk equals what it had: views, positions and documents. */
import assert from "node:assert/strict";
import { FreshState } from "../fresh-state.ts";
import type { Healed } from "../heal.ts";

export async function rebuiltEqualsRunning({ sites }: Healed): Promise<void> {
  for (const site of sites) {
    const { state } = site;
    const { replica } = state;
    const running = `${replica.statementDigest()} ${replica.stateDigest()} ${state.view().hash}`;
    const again = new FreshState({ disk: site.disk.copy() });
    await again.start();
    assert.equal(again.fingerprint(), running, `${site.name}, built from its disk`);
  }
}
