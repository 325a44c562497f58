/**
 * The transfers that are taken in just now: at most one for each group.
 *
 * A newer attempt for a group ends an older one, because the older one's sender may be long dead.
 * Where too many are under way, core/backup/transfer-turns.ts says which one makes way.
 */
import { STALLED_MS, turnOf } from "../../../core/backup/transfer-turns.ts";
import type { Clock } from "../../../core/clock.ts";
import type { Channel } from "../../../core/transport.ts";
import type { ListHeader } from "../../../../protocol/backup/list.ts";
import type { SiteId } from "../../../../protocol/ids.ts";
import { BackupError } from "../error.ts";
import { groupName } from "./group-name.ts";

export interface Attempt {
  readonly from: SiteId;
  readonly generation: number;
  /** When a shard came last, or the attempt began; by the monotonic clock. */
  progressMs: number;
  /** Aborted when it is to end. */
  readonly signal: AbortSignal;
  /** Resolves when nothing of it is under way any more. */
  readonly over: Promise<void>;
  /** Ends it at once, whatever it waits for. */
  readonly end: (reason: string) => void;
  /** To be called when nothing of it is under way any more. */
  readonly done: () => void;
}

export class Attempts {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #running = new Map<string, Attempt>();
  #stopped = false;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Ends what is under way and waits until nothing is written any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const all = [...this.#running.values()];
    for (const { end } of all) end("the node stops");
    await Promise.all(all.map(({ over }) => over));
  }

  /**
   * Begins an attempt when those that make way for it are over.
   *
   * @returns undefined when nothing makes way.
   * @throws BackupError (E-BACKUP-PEER) when the node stops.
   */
  async begin(channel: Channel, header: ListHeader): Promise<Attempt | undefined> {
    const group = groupName(header);
    for (;;) {
      if (this.#stopped) throw new BackupError("E-BACKUP-PEER", "The node stops.");
      const before = this.#running.get(group);
      const inTheWay = before ?? this.#instead(channel.peer);
      if (inTheWay === "nothing") return this.#add(group, channel, header);
      if (inTheWay === "others") return undefined;
      if (before !== undefined && !this.#isReplaced(before, channel.peer, header)) return undefined;
      inTheWay.end(before === undefined ? "others have their turn" : "replaced by a newer attempt");
      await inTheWay.over;
    }
  }

  #instead(peer: SiteId): Attempt | "nothing" | "others" {
    const nowMs = this.#clock.monotonicMs();
    const { may, instead } = turnOf([...this.#running.values()], peer, nowMs);
    return may ? (instead ?? "nothing") : "others";
  }

  #isReplaced(before: Attempt, by: SiteId, header: ListHeader): boolean {
    if (before.from === by || before.generation < header.generation) return true;
    // Another holder's attempt that brings nothing makes way for the list's own site.
    return by === header.by && this.#clock.monotonicMs() - before.progressMs >= STALLED_MS;
  }

  #add(group: string, channel: Channel, { generation }: ListHeader): Attempt {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const ended = new AbortController();
    const attempt: Attempt = {
      ...{ from: channel.peer, generation, over, signal: ended.signal },
      progressMs: this.#clock.monotonicMs(),
      end: (reason) => {
        channel.abort(reason);
        ended.abort();
      },
      done: () => {
        if (this.#running.get(group) === attempt) this.#running.delete(group);
        resolve();
      },
    };
    this.#running.set(group, attempt);
    return attempt;
  }
}
