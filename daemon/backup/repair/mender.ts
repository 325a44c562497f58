/**
 * Gets back what this site had and has no more: single shards that were found damaged or missing.
 *
 * Looks at a group when somebody found it wanting, at all of them once after the start, and again
 * while something is missing.
 */
import { groupFacts } from "../../core/backup/group-facts.ts";
import type { OwnerId, SetId, ShardId } from "../../../protocol/ids.ts";
import { groupOf } from "../../../protocol/backup/list.ts";
import { RepeatedWork } from "../repeated-work.ts";
import { groupName } from "../store/lists/group-name.ts";
import { missingOf, type Holder } from "../store/holder.ts";
import type { KnownList, LoadedList } from "../store/lists/list-store.ts";
import type { ShardName } from "../store/shards/shard-store.ts";
import { fillGroup } from "./fill-group.ts";
import { sourcesOf } from "./sources.ts";

/** Several that are found together are fetched together. */
const GATHER_MS = 200;

export interface MenderOptions {
  readonly holder: Holder;
  /** Between attempts while something is missing, in ms. */
  readonly retryMs: () => number;
  /** A list is held in full again. */
  readonly completed: (list: LoadedList) => void;
}

export class Mender {
  readonly #options: MenderOptions;
  readonly #groups = new Map<string, { owner: OwnerId; set: SetId; group: number }>();
  readonly #unlink: () => void;
  readonly #looks: RepeatedWork;

  constructor(options: MenderOptions) {
    this.#options = options;
    const { holder, retryMs } = options;
    this.#looks = new RepeatedWork(holder.clock, () =>
      this.#mendAll().then(() => (this.#groups.size > 0 ? retryMs() : Infinity)),
    );
    for (const list of holder.lists.all()) this.look(list);
    this.#unlink = holder.transport.onLink((_site, up) => {
      if (up && this.#groups.size > 0) this.#looks.within(GATHER_MS);
    });
  }

  async stop(): Promise<void> {
    this.#unlink();
    await this.#looks.stop();
  }

  /** A shard was found missing or damaged. A damaged one is taken out of the way. */
  lacks(name: ShardName): void {
    const { holder } = this.#options;
    const { owner, set, shard } = name;
    // Whoever asks for what no list names gets nothing fetched.
    const list = listOf(holder, owner, set, shard);
    if (list === undefined) return;
    holder.shards
      .discardDamaged(name)
      .then(() => this.look(list))
      .catch((error: unknown) => {
        holder.log.error("a damaged shard cannot be removed", { shard, error: String(error) });
      });
  }

  /** Shards of a group may be missing. */
  look({ header: { owner, set, group } }: KnownList): void {
    this.#groups.set(groupName({ owner, set, group }), { owner, set, group });
    this.#looks.within(GATHER_MS);
  }

  async #mendAll(): Promise<void> {
    const { holder } = this.#options;
    for (const [name, group] of [...this.#groups]) {
      if (this.#looks.isStopped) return;
      try {
        if (await this.#mend(group)) this.#groups.delete(name);
      } catch (error) {
        holder.log.warn("missing shards were not fetched", { name, error: String(error) });
      }
    }
  }

  /** @returns whether there is nothing more to do. */
  async #mend(at: { owner: OwnerId; set: SetId; group: number }): Promise<boolean> {
    const { holder, completed } = this.#options;
    const { lists, arrivals, state, transport, log } = holder;
    const list = await lists.load(at.owner, at.set, at.group);
    if (list === undefined) return true;
    // One that never was complete here is on its way still.
    const isGuest = list.header.by !== transport.self;
    // Others have it, and its owner wants none here.
    if (!isGuest && !holder.keepsLocal(at.set)) return true;
    if (isGuest && (await lists.load(at.owner, at.set, at.group, "complete")) === undefined) {
      return true;
    }
    const before = await missingOf(holder, list);
    if (before.length === 0) return true;
    // Somebody sends the group just now.
    const watch = arrivals.watch(groupName(at));
    const growing = watch.growing();
    watch.close();
    if (growing) return false;
    const members = new Set(state.authority().sites.keys());
    const facts = groupFacts(state.view(), members, { ...at, by: list.header.by });
    if (facts === undefined) return true;
    const sources = sourcesOf(holder, facts);
    const { signal } = this.#looks;
    const left = await fillGroup({ holder, list, sources, signal, onStored: () => {} });
    if (left < before.length) {
      log.info("missing shards were fetched from other holders", {
        ...{ set: at.set, group: at.group, fetched: before.length - left, missing: left },
      });
    }
    if (left === 0 && isGuest) completed(list);
    return left === 0;
  }
}

/** The list that names the group of a shard. */
function listOf(
  { lists }: Holder,
  owner: OwnerId,
  set: SetId,
  shard: ShardId,
): KnownList | undefined {
  return lists.all(owner, set).find(({ header }) => groupOf(shard, header.groups) === header.group);
}
