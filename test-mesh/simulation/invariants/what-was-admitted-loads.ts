/** No entry that was admitted throws later, or fails to be read again; no honest one is unfit. */
import assert from "node:assert/strict";
import { QUARANTINE } from "../../../daemon/state/keys.ts";
import { EnvelopeError, readEnvelope } from "../../../protocol/logs/envelope.ts";
import { FreshState } from "../fresh-state.ts";
import type { Healed } from "../heal.ts";

export async function whatWasAdmittedLoads({ world, sites }: Healed): Promise<void> {
  const honest = new Set<string>(world.honest.map(({ id }) => id));
  for (const site of sites) {
    const again = new FreshState({ disk: site.disk.copy() });
    await again.start();
    if (!world.damaged.has(site)) {
      assert.deepEqual(again.complaints, [], `${site.name} reads what it has stored`);
    }
    for (const [key, bytes] of site.disk.content) {
      if (key < QUARANTINE.from || key >= QUARANTINE.to || bytes.length === 0) continue;
      const author = authorOf(bytes, world.damaged.has(site));
      assert.ok(
        author === undefined || !honest.has(author),
        `${site.name} holds an honest entry to be unfit`,
      );
      world.sometimes.reached("an entry in quarantine");
    }
  }
}

/** Undefined when it cannot be read, on a disk where bits were flipped: quarantine is for people, no start reads it. */
function authorOf(bytes: Uint8Array, damaged: boolean): string | undefined {
  try {
    return readEnvelope(bytes).header.author;
  } catch (error) {
    if (damaged && error instanceof EnvelopeError) return undefined;
    throw error;
  }
}
