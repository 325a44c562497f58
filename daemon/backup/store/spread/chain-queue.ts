/**
 * The chains that this site works on: one for each group, the newest list only.
 *
 * What a holder has promised to pass on survives a restart: it is written down before the
 * transfer begins, and taken up again at the start.
 */
import { z } from "zod";
import { prefixRange, type Store } from "../../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../../protocol/encoding/cbor.ts";
import type { ListId, SiteId } from "../../../../protocol/ids.ts";
import { idField } from "../../../../protocol/encoding/wire-field.ts";
import { ChainRun, type ChainJob } from "./chain-run.ts";
import { groupName } from "../lists/group-name.ts";
import type { Holder } from "../holder.ts";
import type { LoadedList } from "../lists/list-store.ts";
import type { PassOn } from "../lists/receive-list.ts";
import { Slots } from "../shards/slots.ts";

const PREFIX = "backup/pass/";
const MAX_STORED_BYTES = 4096;
/** Shards that are sent at once, of all groups: 32 MiB of memory. */
const MAX_SENDING = 8;
const stored = z.strictObject({ list: idField<ListId>(), chain: z.array(idField<SiteId>()) });

export class ChainQueue implements PassOn {
  readonly #holder: Holder;
  readonly #store: Store;
  readonly #patienceMs: number;
  readonly #runs = new Map<string, { run: ChainRun; over: Promise<void> }>();
  readonly #slots = new Slots(MAX_SENDING);
  #stopped = false;

  /** @param patienceMs - How long a silent site is waited for before the next one takes over. */
  constructor(holder: Holder, store: Store, patienceMs: number) {
    this.#holder = holder;
    this.#store = store;
    this.#patienceMs = patienceMs;
  }

  /** Takes up what was promised before a restart. */
  async resume(): Promise<void> {
    for await (const [key, value] of this.#store.entries(prefixRange(PREFIX))) {
      const promise = z.safeDecode(stored, decodeCbor(value, MAX_STORED_BYTES) as never);
      const group = key.slice(PREFIX.length);
      const known = this.#holder.lists.all().find(({ header }) => groupName(header) === group);
      if (!promise.success || known?.id !== promise.data.list) {
        await this.#forget(group);
        continue;
      }
      const { owner, set } = known.header;
      const list = await this.#holder.lists.load(owner, set, known.header.group);
      if (list !== undefined) this.#passOn(list, promise.data.chain);
    }
  }

  /** Promises to bring a list to the sites after this one. Durable. */
  async submit(list: LoadedList, chain: readonly SiteId[]): Promise<void> {
    const group = groupName(list.header);
    if (chain.length === 0) {
      // A newer list without a chain: the promise for the one before is void.
      if (this.#runs.get(group)?.run.job.list.id !== list.id) await this.drop(group);
      return;
    }
    const value = encodeCbor(z.encode(stored, { list: list.id, chain: [...chain] }));
    await this.#store.write([{ kind: "put", key: PREFIX + group, value }], "durable");
    this.#passOn(list, chain);
  }

  #passOn(list: LoadedList, chain: readonly SiteId[]): void {
    const group = groupName(list.header);
    this.start({
      list,
      sites: chain,
      economical: false,
      onComplete: () => {
        this.#forget(group).catch(() => {});
      },
    });
  }

  /** Works on a job; one for the same list and sites goes on, any other of the group ends. */
  start(job: ChainJob): void {
    if (this.#stopped) return;
    const group = groupName(job.list.header);
    const current = this.#runs.get(group);
    if (current?.run.job.list.id === job.list.id && sameSites(current.run.job.sites, job.sites)) {
      current.run.wake();
      return;
    }
    current?.run.stop();
    const run = new ChainRun(this.#holder, job, this.#patienceMs, this.#slots);
    const over = (current?.over ?? Promise.resolve())
      .then(() => run.run())
      .catch((error: unknown) => {
        this.#holder.log.error("a chain ended by a fault", { error: String(error) });
      })
      .finally(() => {
        if (this.#runs.get(group)?.run === run) this.#runs.delete(group);
      });
    this.#runs.set(group, { run, over });
  }

  /** Ends the work on a group and forgets the promise. */
  async drop(group: string): Promise<void> {
    this.#runs.get(group)?.run.stop();
    await this.#forget(group);
  }

  settled(group: string): Promise<readonly SiteId[]> {
    return this.#runs.get(group)?.run.settled() ?? Promise.resolve([]);
  }

  /** The lines carry other things now, or at other hours: all look again. */
  wake(): void {
    for (const { run } of this.#runs.values()) run.wake();
  }

  /** Ends all work; what was promised is taken up again at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const all = [...this.#runs.values()];
    for (const { run } of all) run.stop();
    await Promise.all(all.map(({ over }) => over));
  }

  async #forget(group: string): Promise<void> {
    await this.#store.write([{ kind: "delete", key: PREFIX + group }], "cached");
  }
}

/** The same sites in the same order. */
export function sameSites(a: readonly SiteId[], b: readonly SiteId[]): boolean {
  return a.length === b.length && a.every((site, index) => site === b[index]);
}
