/** No byte of one author changes what another one has written: without it, the rest is the same. */
import assert from "node:assert/strict";
import { decodeEnvelope } from "../../../protocol/logs/envelope.ts";
import type { State } from "../../../daemon/state/state.ts";
import { OWN_CLASSES } from "../../../protocol/logs/record-class.ts";
import { encodeStatement } from "../../../protocol/statements/statement.ts";
import { FreshState } from "../fresh-state.ts";
import type { Healed } from "../heal.ts";

export async function authorsChangeOnlyTheirOwn({ sites, entries, random }: Healed): Promise<void> {
  const [first] = sites;
  assert.ok(first !== undefined);
  // One drawn author a run: over many runs it is every author.
  const { id } = random.pick(sites);
  const own = entries.filter((bytes) => decodeEnvelope(bytes).header.author === id);
  const alone = new FreshState();
  await alone.feed(first.state.statements().map(encodeStatement), random.shuffled(own));
  for (const recordClass of OWN_CLASSES) {
    const written = (state: State) =>
      state
        .view()
        .entries(recordClass)
        .filter(({ author }) => author === id)
        .map(({ key, versionId, conflicts }) => ({ key, versionId, conflicts }));
    assert.deepEqual(written(first.state), written(alone.state), `${recordClass} of one author`);
  }
}
