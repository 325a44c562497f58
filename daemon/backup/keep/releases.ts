/**
 * Groups that others hold in place of this holder: noted, and let go when lock and trash are over.
 *
 * Whether one may go is read in the view (core/release.ts), at each look anew; while it may not, its
 * time does not run. What goes is first declared void to the mesh. Then, in one batch, the lists of
 * the group are forgotten and its shards noted as strays whose time is over: the keeper deletes them
 * as any others, also after a crash in between.
 */
import { prefixRange, type Store } from "../../core/store.ts";
import { DAY_MS, TRASH_MS } from "../../core/backup/retention-lock.ts";
import type { Logger } from "../../observe/log.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import type { ListHeader } from "../../../protocol/backup/list.ts";
import type { KeptLists, KeptWords, SetGate, SetName } from "./ports.ts";
import { keyOf, readStrays, strayChange } from "./set-record.ts";
import type { Survey } from "./survey.ts";

const PREFIX = "backup/keep/released/";
/** Stands for the time at which a stray was first seen, when its lock was over before. */
const LET_GO_MS = 0;

interface ReleaseParts {
  readonly store: Store;
  readonly lists: KeptLists;
  readonly gates: SetGate;
  readonly words: KeptWords;
  readonly runningMs: () => number;
  readonly log: Logger;
}

export class Releases {
  readonly #parts: ReleaseParts;
  /** Running time since which each group may go without a break. */
  readonly #sinceMs: Map<string, number>;

  private constructor(parts: ReleaseParts, sinceMs: Map<string, number>) {
    this.#parts = parts;
    this.#sinceMs = sinceMs;
  }

  static async open(parts: ReleaseParts): Promise<Releases> {
    const found = new Map<string, number>();
    for await (const [key, value] of parts.store.entries(prefixRange(PREFIX))) {
      const sinceMs = Number(Buffer.from(value).toString("latin1"));
      if (Number.isSafeInteger(sinceMs)) found.set(key.slice(PREFIX.length), sinceMs);
    }
    return new Releases(parts, found);
  }

  /** @param gone - Told of the bytes of each group that goes, while nothing else is done to the set. */
  async look(
    of: SetName,
    { past }: Survey,
    lockDays: number,
    gone: (bytes: number) => Promise<void>,
  ): Promise<void> {
    const { lists, words } = this.#parts;
    const known = lists.all(of.owner, of.set).map(({ header }) => header);
    const open = known.filter((header) => words.mayLetGo(header));
    const groups = new Set(open.map(({ group }) => group));
    for (const group of this.#groupsOf(of)) if (!groups.has(group)) await this.#forget(of, group);
    for (const header of open) {
      if (!(await this.#isDue(of, header.group, lockDays))) continue;
      // Before anything is gone nobody counts on it any more.
      await words.letGo(header);
      await this.#letGo(of, header, past.get(header.group) ?? [], gone);
    }
  }

  /** Of a set without lists here: what was noted when the last of them was let go. */
  async dueStrays(of: SetName, strays: readonly ShardId[], lockDays: number): Promise<ShardId[]> {
    const { store, runningMs } = this.#parts;
    const known = await readStrays(store, of);
    return strays.filter((shard) => {
      const sinceMs = known.get(shard);
      return sinceMs !== undefined && runningMs() - sinceMs >= waitMs(lockDays);
    });
  }

  /** How many groups of a set go, and when the last of them does; null: none. */
  report(
    of: SetName,
    lockDays: number,
    nowMs: number,
  ): { readonly groups: number; readonly inMs: number } | null {
    const groups = this.#groupsOf(of);
    if (groups.length === 0) return null;
    const sinceMs = Math.max(...groups.map((group) => this.#sinceMs.get(nameOf(of, group)) ?? 0));
    return { groups: groups.length, inMs: Math.max(0, sinceMs + waitMs(lockDays) - nowMs) };
  }

  async #isDue(of: SetName, group: number, lockDays: number): Promise<boolean> {
    const { store, runningMs } = this.#parts;
    const name = nameOf(of, group);
    const nowMs = runningMs();
    const sinceMs = this.#sinceMs.get(name);
    if (sinceMs !== undefined) return nowMs - sinceMs >= waitMs(lockDays);
    const value = Buffer.from(String(nowMs), "latin1");
    await store.write([{ kind: "put", key: PREFIX + name, value }], "durable");
    this.#sinceMs.set(name, nowMs);
    return false;
  }

  async #letGo(
    of: SetName,
    { group, generation }: ListHeader,
    past: NonNullable<ReturnType<Survey["past"]["get"]>>,
    gone: (bytes: number) => Promise<void>,
  ): Promise<void> {
    const { gates, lists, log } = this.#parts;
    const isGone = await gates.run(of, async () => {
      const list = await lists.load(of.owner, of.set, group);
      // A newer list has come since the look.
      if (list?.header.generation !== generation) return false;
      const left = past.flatMap(({ atMs, left: some }) =>
        some.map(({ shard }) => strayChange(of, shard, atMs)),
      );
      const named = list.entries.map(({ shard }) => strayChange(of, shard, LET_GO_MS));
      await lists.letGo(of.owner, of.set, group, [...left, ...named]);
      await gone(list.header.bytes);
      return true;
    });
    await this.#forget(of, group);
    if (isGone) log.info("a group was let go: others hold it", { ...of, group });
  }

  async #forget(of: SetName, group: number): Promise<void> {
    const name = nameOf(of, group);
    await this.#parts.store.write([{ kind: "delete", key: PREFIX + name }], "durable");
    this.#sinceMs.delete(name);
  }

  #groupsOf(of: SetName): number[] {
    const prefix = `${keyOf(of)}/`;
    return [...this.#sinceMs.keys()].flatMap((name) => {
      return name.startsWith(prefix) ? Number(name.slice(prefix.length)) : [];
    });
  }
}

function waitMs(lockDays: number): number {
  return lockDays * DAY_MS + TRASH_MS;
}

function nameOf(of: SetName, group: number): string {
  return `${keyOf(of)}/${group}`;
}
