/** Single shards of data sets, for the client: written here, read here or fetched from holders. */
import { holdKey } from "../../../../protocol/logs/record.ts";
import type { OwnerId, SetId, ShardId, SiteId } from "../../../../protocol/ids.ts";
import { isShardSize, shardIdOf } from "../../../../protocol/backup/shard-id.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import type { ShardName } from "../shards/shard-store.ts";
import { ShardFetcher, type ShardSource } from "../spread/fetch-any.ts";
import { fetchRanges } from "../spread/fetch.ts";
import type { OwnSets } from "./own-sets.ts";
import { unknownSet } from "./set-reports.ts";

export interface WantedShard {
  readonly set: SetId;
  readonly shard: ShardId;
  readonly keep: boolean;
}

export class ShardAccess {
  readonly #holder: Holder;
  readonly #own: OwnSets;
  readonly #fetcher: ShardFetcher;
  readonly #signal: AbortSignal;

  /** @param signal - Ends what is fetched at once. */
  constructor(holder: Holder, own: OwnSets, signal: AbortSignal) {
    this.#holder = holder;
    this.#own = own;
    this.#fetcher = new ShardFetcher(holder.clock);
    this.#signal = signal;
  }

  async put(
    set: SetId,
    shard: ShardId,
    bytes: Uint8Array,
    onWritten?: () => void,
  ): Promise<"stored" | "there"> {
    const name = { owner: this.#ownerFor(set, shard, bytes), set, shard };
    return this.#holder.shards.put(name, bytes, onWritten);
  }

  /** From the local store, else from any holder; then it is kept here again. */
  async get(set: SetId, shard: ShardId): Promise<Uint8Array> {
    const { shards, log } = this.#holder;
    const name = this.#nameOf(set, shard);
    const { owner } = name;
    try {
      const here = await shards.read(name);
      if (here !== undefined) return here;
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      log.error("a stored shard is damaged; another holder has to give it", { shard });
      await shards.discardDamaged(name);
    }
    const bytes = await this.#fetch(name, this.#holdersOf(owner, set));
    if (bytes !== undefined) {
      // A full disk is no reason not to answer.
      await shards.put(name, bytes).catch(() => {});
      return bytes;
    }
    throw new BackupError("E-NOT-FOUND", `No reachable site has the shard ${shard}.`, {
      hint: "See which sites are there with: pleach peers",
    });
  }

  /** What one site gives, verified. With `keep` it is kept where the copy here is not sound. */
  async getFrom(site: SiteId, { set, shard, keep }: WantedShard): Promise<Uint8Array> {
    const { shards, transport } = this.#holder;
    const name = this.#nameOf(set, shard);
    const isLinked = transport.links().includes(site);
    const bytes = isLinked ? await this.#fetch(name, [site]) : undefined;
    if (bytes === undefined) {
      throw new BackupError("E-NOT-FOUND", `The site did not give the shard ${shard}.`, {
        hint: "See which sites are there with: pleach peers",
      });
    }
    if (keep) {
      await shards.discardDamaged(name);
      await shards.put(name, bytes);
    }
    return bytes;
  }

  async #fetch(name: ShardName, sites: readonly SiteId[]): Promise<Uint8Array | undefined> {
    const { log } = this.#holder;
    const { shard } = name;
    const sources = sites.map((id): ShardSource => ({
      id,
      ask: (target, options) =>
        fetchRanges(this.#holder, id, name, target, {
          ...options,
          why: "restore",
          signal: this.#signal,
        }),
    }));
    return this.#fetcher.fetch(name, sources, (site, error, isLie) => {
      if (isLie) log.warn("a holder gave what is not the shard", { site, shard });
      else log.info("a holder did not give a shard", { site, shard, error: String(error) });
    });
  }

  #nameOf(set: SetId, shard: ShardId): ShardName {
    const owner =
      this.#own.get(set)?.owner ??
      this.#holder.lists.all().find(({ header }) => header.set === set)?.header.owner;
    if (owner === undefined) throw unknownSet(set);
    return { owner, set, shard };
  }

  /** Whose shard it is: the identifier tells, among the owners that this site works for. */
  #ownerFor(set: SetId, shard: ShardId, bytes: Uint8Array): OwnerId {
    const known = this.#own.get(set)?.owner;
    if (known !== undefined) return known;
    const { state, transport } = this.#holder;
    const owners = state
      .authority()
      .delegations.filter(({ site }) => site === transport.self)
      .map(({ owner }) => owner);
    const [first, ...more] = new Set(owners);
    if (first === undefined) {
      throw new BackupError("E-BACKUP-RIGHT", "No owner has delegated a data set to this site.", {
        exit: 5,
        hint: "Begin a mesh with: pleach init, or enter one with: pleach join",
      });
    }
    if (more.length === 0 || !isShardSize(bytes.length)) return first;
    return [first, ...more].find((owner) => shardIdOf(owner, set, bytes) === shard) ?? first;
  }

  /** Linked sites that should have the set's shards. */
  #holdersOf(owner: OwnerId, set: SetId): readonly SiteId[] {
    const { state, transport } = this.#holder;
    const links = transport.links();
    const targets = this.#own.get(set)?.targets.flat() ?? [];
    const holding = state
      .view()
      .entries("hold")
      .filter(({ key }) => key === holdKey(owner, set))
      .map(({ author }) => author);
    return [...new Set([...targets, ...holding])].filter((site) => links.includes(site));
  }
}
