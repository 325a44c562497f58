/**
 * Puts all that the store holds back where it was before the daemon ended.
 */
import type { MeshId } from "../../protocol/ids.ts";
import { buildAtStart } from "./build-at-start.ts";
import { loadLogs } from "./load.ts";
import { positionsOf } from "./positions.ts";
import type { StateParts } from "./state-parts.ts";

export async function putBack(parts: StateParts, meshId: MeshId): Promise<void> {
  const { store, clock, log, siteId, shelf, book, limits, documents, positions } = parts;
  await loadLogs(store, shelf, meshId, clock.wallMs(), log, ({ header }) =>
    parts.incoming.lamport.note(header.lamport, header.author === siteId),
  );
  for (const held of shelf.all()) limits.begin(held, book.authority);
  await limits.dropUseless();
  for (const name of shelf.lineages()) shelf.judgeAnew(name);
  const counting = [...shelf.all()].filter((held) => shelf.counts(held));
  await buildAtStart(store, counting, log, async (held) => {
    held.document = await documents.at(held, held.seq);
  });
  for (const name of shelf.lineages()) {
    await documents.settle(name);
    positions.set(name, positionsOf(shelf, name));
  }
  for (const held of shelf.all()) parts.kept.room.measure(held);
  await parts.rights.refresh(book.authority);
}
