/**
 * Carries out what statements say about logs: how far they count, and how far they are shown.
 *
 * Only logs whose end changes are touched, and of those only the documents are built anew.
 */
import type { Authority } from "../../core/authority/authority.ts";
import type { CommitQueue } from "../commit-queue.ts";
import type { Documents } from "../documents.ts";
import type { HeldLog, LineageName } from "../held-log.ts";
import type { AuthorRoom } from "../keep/author-room.ts";
import type { Pruning } from "../keep/pruning.ts";
import type { Shelf } from "../shelf.ts";
import type { EndedRights } from "./ended-rights.ts";
import type { Freezes } from "./freezes.ts";
import { limitLogs, limitOf } from "./log-limits.ts";
import { pinsOf } from "./pins.ts";

interface LimitsSetup {
  readonly shelf: Shelf;
  readonly queue: CommitQueue;
  readonly documents: Documents;
  readonly pruning: Pruning;
  readonly room: AuthorRoom;
  readonly freezes: Freezes;
  readonly rights: EndedRights;
}

export class Limits {
  readonly #setup: LimitsSetup;

  constructor(setup: LimitsSetup) {
    this.#setup = setup;
  }

  /** Ends a log that comes on the shelf where it has to end now. */
  begin(held: HeldLog, authority: Authority): void {
    held.limit = limitOf(authority, held.author, held.log);
    held.pins = pinsOf(authority, held.author, held.log);
    held.frozenSeq = this.#setup.freezes.endOf(held, authority);
  }

  /** At the start: lets go of logs of which nothing leads up to where they end now. */
  async dropUseless(): Promise<void> {
    const { shelf, pruning, queue } = this.#setup;
    const useless = [...shelf.all()].filter((held) => held.isOfNoUse());
    for (const held of useless) await pruning.drop(held);
    await queue.flush();
  }

  /** Remembers what is held now of sites that are suspended from now on. */
  remember(before: Authority, now: Authority): void {
    const { shelf, queue, freezes } = this.#setup;
    queue.stage(freezes.change(shelf, before, now));
  }

  /** @returns The lineages in which anything counts or shows otherwise than before. */
  async apply(now: Authority): Promise<Set<LineageName>> {
    const { shelf, documents, pruning, room, freezes, rights } = this.#setup;
    const changed = new Set([...limitLogs(shelf, now), ...freezes.apply(shelf.all(), now)]);
    for (const held of changed) {
      documents.forget(held);
      shelf.judgeAnew(held.lineage);
      if (held.isOfNoUse()) await pruning.drop(held);
    }
    const touched = new Set([...changed].map(({ lineage }) => lineage));
    for (const name of touched) {
      await documents.settle(name);
      for (const held of shelf.lineage(name)) room.measure(held);
    }
    for (const held of shelf.all()) {
      const pins = pinsOf(now, held.author, held.log);
      if (pins.length + held.pins.length > 0) touched.add(held.lineage);
      held.pins = pins;
    }
    await rights.refresh(now);
    return touched;
  }
}
