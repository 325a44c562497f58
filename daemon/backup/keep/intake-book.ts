/** What each owner may still send to this holder today; the rule stands in core/intake.ts. */
import { z } from "zod";
import { accountAt, MAX_KNOWN, roomFor, type IntakeAccount } from "../../core/backup/intake.ts";
import type { Terms } from "../../core/backup/lending.ts";
import { DAY_MS } from "../../core/backup/retention-lock.ts";
import { prefixRange, type Store } from "../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/encoding/cbor.ts";
import { parseId, type OwnerId, type StatementId } from "../../../protocol/ids.ts";
import { countField, idField } from "../../../protocol/encoding/wire-field.ts";

const PREFIX = "backup/keep/intake/";
const MAX_STORED_BYTES = 16 * 1024;
const FULL_SHARD_BYTES = 4 * 1024 * 1024;

const account = z.strictObject({
  v: z.literal(1),
  known: z.array(idField<StatementId>()).min(1).max(MAX_KNOWN),
  sinceMs: countField(0),
  bytes: countField(0),
  lists: countField(0),
  atMs: countField(0),
  firstDone: z.boolean(),
});

/** The owner, and the DELEGATE under which a list of it comes. */
export interface Sender {
  readonly owner: OwnerId;
  readonly delegation: StatementId;
}

export interface IntakeLimits {
  readonly runningMs: () => number;
  /** What is lent to an owner now; undefined: nothing. */
  readonly termsFor: (owner: OwnerId) => Terms | undefined;
}

export class IntakeBook {
  readonly #store: Store;
  readonly #limits: IntakeLimits;
  readonly #accounts: Map<OwnerId, IntakeAccount>;

  private constructor(store: Store, limits: IntakeLimits, accounts: Map<OwnerId, IntakeAccount>) {
    this.#store = store;
    this.#limits = limits;
    this.#accounts = accounts;
  }

  static async open(store: Store, limits: IntakeLimits): Promise<IntakeBook> {
    const accounts = new Map<OwnerId, IntakeAccount>();
    for await (const [key, value] of store.entries(prefixRange(PREFIX))) {
      const owner = parseId<OwnerId>(key.slice(PREFIX.length));
      const read = account.safeParse(decodeCbor(value, MAX_STORED_BYTES));
      if (owner === undefined || !read.success) continue;
      const { v: _version, ...fields } = read.data;
      accounts.set(owner, fields);
    }
    return new IntakeBook(store, limits, accounts);
  }

  /** What may come now. @param isExempt - The daily intake does not count for it. */
  left(sender: Sender): { readonly bytes: number; readonly lists: number; isFirst: boolean } {
    const { bytes, lists, firstDone } = this.#now(sender);
    return { bytes: Math.floor(bytes), lists: Math.floor(lists), isFirst: !firstDone };
  }

  /** How much the owner may use under this delegation, in bytes; undefined: nothing is lent to it. */
  roomBytes(sender: Sender): number | undefined {
    const { runningMs, termsFor } = this.#limits;
    const terms = termsFor(sender.owner);
    return terms === undefined
      ? undefined
      : roomFor(this.#now(sender), sender.delegation, terms.capBytes, runningMs());
  }

  /** How long until a full shard may come again, in seconds. */
  waitSeconds(sender: Sender): number {
    const lackingBytes = FULL_SHARD_BYTES - this.#now(sender).bytes;
    return Math.max(1, Math.ceil(((lackingBytes / this.#perDay(sender.owner)) * DAY_MS) / 1000));
  }

  /** Takes from what may come today; negative numbers give back what was not used. */
  async spend(sender: Sender, bytes: number, lists: number): Promise<void> {
    const now = this.#now(sender);
    await this.#put(sender.owner, {
      ...now,
      bytes: Math.max(0, now.bytes - bytes),
      lists: Math.max(0, now.lists - lists),
    });
  }

  /** The owners that have sent anything, and what each may still send today, in bytes. */
  report(): { readonly owner: OwnerId; readonly todayBytes: number; readonly isFirst: boolean }[] {
    return [...this.#accounts].flatMap(([owner, { known, firstDone }]) => {
      const delegation = known.at(-1);
      if (delegation === undefined) return [];
      const { bytes } = this.#now({ owner, delegation });
      return { owner, todayBytes: Math.floor(bytes), isFirst: !firstDone };
    });
  }

  /** The owner's first upload is over. */
  async endFirst(owner: OwnerId): Promise<void> {
    const now = this.#accounts.get(owner);
    if (now !== undefined && !now.firstDone) await this.#put(owner, { ...now, firstDone: true });
  }

  #now({ owner, delegation }: Sender): IntakeAccount {
    const nowMs = this.#limits.runningMs();
    return accountAt(this.#accounts.get(owner), delegation, this.#perDay(owner), nowMs);
  }

  #perDay(owner: OwnerId): number {
    return Math.max(1, this.#limits.termsFor(owner)?.dailyBytes ?? 0);
  }

  /** What a crash forgets of this is little, and in the owner's favour. */
  async #put(owner: OwnerId, next: IntakeAccount): Promise<void> {
    this.#accounts.set(owner, next);
    const { bytes, lists } = next;
    const known = [...next.known];
    const whole = {
      v: 1 as const,
      ...next,
      known,
      bytes: Math.floor(bytes),
      lists: Math.floor(lists),
    };
    const value = encodeCbor(z.encode(account, whole));
    await this.#store.write([{ kind: "put", key: PREFIX + owner, value }], "cached");
  }
}
