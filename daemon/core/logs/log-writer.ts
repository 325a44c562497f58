/**
 * Makes the payloads of this site's own entries.
 *
 * It keeps a document of its own, apart from the one that readers build: what it makes goes
 * through the same admission as a foreign entry before it is signed for good.
 */
import { Doc, encodeStateAsUpdate, getState } from "yjs";
import { clientIdOf } from "../../../protocol/logs/envelope.ts";
import type { LogId } from "../../../protocol/ids.ts";
import {
  packVersion,
  unpackVersion,
  type RecordVersion,
} from "../../../protocol/logs/record-version.ts";
import { ROOT } from "./admission.ts";

export interface Payload {
  readonly bytes: Uint8Array;
  readonly clockBefore: number;
  readonly clockAfter: number;
}

export class LogWriter {
  readonly #doc = new Doc();
  /** The state that the log, or the log after its snapshot, starts with. */
  readonly snapshot: Payload;

  /**
   * @param seq - The place that the snapshot will have in the log.
   */
  constructor(log: LogId, seq: number, records: Iterable<readonly [string, RecordVersion]>) {
    this.#doc.clientID = clientIdOf(log, seq);
    this.#set(records);
    const bytes = Uint8Array.from(encodeStateAsUpdate(this.#doc));
    this.snapshot = { bytes, clockBefore: 0, clockAfter: this.#clock() };
  }

  /** Everything that it has set, whether it counts anywhere or not. */
  *records(): Generator<readonly [key: string, version: RecordVersion]> {
    for (const [key, packed] of this.#doc.getMap(ROOT).entries()) {
      const version = unpackVersion(packed);
      if (version !== undefined) yield [key, version];
    }
  }

  /** The update that sets these records; each key at most once. */
  update(records: Iterable<readonly [string, RecordVersion]>): Payload {
    const clockBefore = this.#clock();
    const updates: Uint8Array[] = [];
    const collect = (update: Uint8Array): void => {
      updates.push(Uint8Array.from(update));
    };
    this.#doc.on("update", collect);
    this.#set(records);
    this.#doc.off("update", collect);
    const [bytes] = updates;
    if (bytes === undefined || updates.length > 1) throw new RangeError("nothing was changed");
    return { bytes, clockBefore, clockAfter: this.#clock() };
  }

  #set(records: Iterable<readonly [string, RecordVersion]>): void {
    const map = this.#doc.getMap(ROOT);
    this.#doc.transact(() => {
      for (const [key, version] of records) map.set(key, packVersion(version));
    });
  }

  #clock(): number {
    return getState(this.#doc.store, this.#doc.clientID);
  }
}
