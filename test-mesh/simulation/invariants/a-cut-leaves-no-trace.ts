/**
 * What was cut off by a revocation or a fork leaves no trace: the records are what they would be had
 * it never existed.
 */
import assert from "node:assert/strict";
import { decodeEnvelope } from "../../../protocol/logs/envelope.ts";
import { encodeStatement } from "../../../protocol/statements/statement.ts";
import { FreshState } from "../fresh-state.ts";
import type { Healed } from "../heal.ts";

export async function aCutLeavesNoTrace({ world, sites, entries, random }: Healed): Promise<void> {
  const [first] = sites;
  assert.ok(first !== undefined);
  const { state } = first;
  const authority = state.authority();
  const uncut = entries.filter((bytes) => {
    const { log, header } = decodeEnvelope(bytes);
    const { author, seq } = header;
    if (!authority.sites.has(author) && !authority.endedSites.has(author)) return false;
    const limit = authority.logLimit(author, log);
    return limit === "open" || (limit !== "none" && seq <= limit.seq);
  });
  if (uncut.length === entries.length) return;
  world.sometimes.reached("entries that were cut off");
  const fresh = new FreshState();
  await fresh.feed(state.statements().map(encodeStatement), random.shuffled(uncut));
  assert.equal(fresh.state.view().hash, state.view().hash, "as if the cut had never been written");
}
