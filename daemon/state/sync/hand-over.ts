/**
 * What the peer of a round turned out to lack: handed over in the same channel if it is little, so
 * that a small difference ends in one round. More of it the peer fetches in a round of its own.
 */
import type { LogId, StatementId } from "../../../protocol/ids.ts";
import type { Replica } from "../replica.ts";
import type { Conversation } from "./conversation.ts";
import { sendPush, type PushItem } from "./push.ts";
import type { RecentItems } from "./recent-items.ts";

/** Of statements and entries together: a second or two of a slow uplink. */
const MOST_BYTES = 32 * 1024;
const MOST_ITEMS = 64;

export class HandOver {
  readonly #statements: StatementId[] = [];
  readonly #logs = new Map<LogId, number>();

  /** The peer does not know a statement. */
  addStatement(id: StatementId): void {
    if (this.#statements.length <= MOST_ITEMS) this.#statements.push(id);
  }

  /** The peer has a log only up to `theirSeq`; 0: not at all. */
  addLog(log: LogId, theirSeq: number): void {
    if (this.#logs.size <= MOST_ITEMS) this.#logs.set(log, theirSeq);
  }

  /** Sends what there is. Nothing, when it is too much. */
  async send(talk: Conversation, replica: Replica, recentItems: RecentItems): Promise<void> {
    const items: PushItem[] = [];
    let sizeBytes = 0;
    const add = (item: Omit<PushItem, "recent">): boolean => {
      sizeBytes += item.bytes.length;
      const recent = recentItems.of(item.bytes);
      if (!recent.holders.has(talk.peer)) items.push({ ...item, recent });
      return sizeBytes <= MOST_BYTES && items.length <= MOST_ITEMS;
    };
    for (const id of this.#statements) {
      const bytes = replica.statement(id);
      if (bytes !== undefined && !add({ kind: "statement", bytes, at: undefined })) return;
    }
    for (const [log, theirSeq] of this.#logs) {
      const position = replica.position(log);
      // Without the entries right behind theirs it is no use to them.
      if (position === undefined || position.fromSeq > theirSeq + 1) continue;
      let seq = theirSeq;
      for await (const bytes of replica.envelopesFrom(log, theirSeq)) {
        seq++;
        if (!add({ kind: "envelope", bytes, at: { log, seq } })) return;
      }
    }
    if (items.length > 0) await sendPush(talk, replica, items);
  }
}
