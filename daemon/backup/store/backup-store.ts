/**
 * The network side of backups, put together: what the control socket asks and what peers ask.
 *
 * Key-free: everything here is ciphertext, signed lists and receipts.
 */
import { SPLIT_BYTES } from "../../core/backup/next-lists.ts";
import { placeOf } from "../../core/backup/published.ts";
import type { Channel } from "../../core/transport.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import type { OwnerId, SetId, ShardId, SiteId } from "../../../protocol/ids.ts";
import { decodeOpenerMessage, SHARD_PROTOCOL } from "../../../protocol/messages/shard-message.ts";
import type { Keeper } from "../keep/keeper.ts";
import type { RunningTime } from "../keep/running-time.ts";
import { lentToOwners, pairAccounts } from "./own/accounts.ts";
import { ChainQueue } from "./spread/chain-queue.ts";
import { commit } from "./own/commit.ts";
import type { CommitRequest } from "./own/commit-request.ts";
import { BackupError } from "./error.ts";
import { serveList, serveShard } from "./spread/fetch.ts";
import type { Holder } from "./holder.ts";
import type { Holdings } from "./lists/holdings.ts";
import { type LoadedList } from "./lists/list-store.ts";
import { SILENCE_MS } from "./spread/outbox.ts";
import { openParts, type BackupStoreOptions, type Made } from "./open-parts.ts";
import type { OwnRules } from "./own/own-rules.ts";
import { type OwnRulesRecord } from "./own/own-rules.ts";
import type { OwnSets } from "./own/own-sets.ts";
import { ListReceiver } from "./lists/receive-list.ts";
import { RecoverServer } from "./recover/recover-server.ts";
import { ShardAccess, type WantedShard } from "./own/shard-access.ts";
import { SetReports } from "./own/set-reports.ts";
import { Serial } from "./serial.ts";
import { Spreader } from "./spread/spreader.ts";
import type { SpreadTimes } from "./spread/targets.ts";
import { askWitnesses, serveHeads } from "./own/witnesses.ts";

const MINUTE_MS = 60_000;
/** As the design has it: a silent hop is passed over after half an hour, a holder after 72 h. */
const DEFAULT_TIMES: SpreadTimes = { silentMs: 30 * MINUTE_MS, lostMs: 72 * 60 * MINUTE_MS };

export class BackupStore {
  readonly #holder: Holder;
  readonly #own: OwnSets;
  readonly #rules: OwnRules;
  readonly #queue: ChainQueue;
  readonly #spreader: Spreader;
  readonly #holdings: Holdings;
  readonly #receiver: ListReceiver;
  readonly #recovery: RecoverServer;
  readonly #reports: SetReports;
  readonly #running: RunningTime;
  /** Locks, trash and what a person is asked. */
  readonly keeper: Keeper;
  readonly #serial = new Serial();
  readonly #shards: ShardAccess;
  readonly #stop = new AbortController();
  readonly #splitBytes: number;

  private constructor(
    { holder, holdings, own, rules, running, keeper }: Made,
    { store, providers, silentMs, lostMs, splitBytes }: BackupStoreOptions,
  ) {
    const times = {
      silentMs: silentMs ?? DEFAULT_TIMES.silentMs,
      lostMs: lostMs ?? DEFAULT_TIMES.lostMs,
    };
    this.#splitBytes = splitBytes ?? SPLIT_BYTES;
    this.#holder = holder;
    this.#own = own;
    this.#rules = rules;
    this.#running = running;
    this.keeper = keeper;
    this.#queue = new ChainQueue(holder, store, times.silentMs);
    this.#spreader = new Spreader(holder, own, rules, this.#queue, this.#serial, times);
    this.#holdings = holdings;
    this.#shards = new ShardAccess(holder, own, this.#stop.signal);
    this.#recovery = new RecoverServer(holder, providers);
    this.#reports = new SetReports(holder, own, this.#spreader);
    this.#receiver = new ListReceiver(holder, this.#queue, (list) => {
      this.#holdings.completed(list);
      this.#noteComplete(list).catch((error: unknown) => {
        holder.log.warn("what is kept was not written down", { error: String(error) });
      });
    });
  }

  /**
   * Opens the store, registers the protocols and takes up what was under way. The handlers are set
   * before anything is waited for: links may come up at once.
   */
  static async open(options: BackupStoreOptions): Promise<BackupStore> {
    const { promise: ready, resolve, reject } = Promise.withResolvers<BackupStore>();
    ready.catch(() => {});
    options.transport.handle(SHARD_PROTOCOL, async (channel) => (await ready).#serve(channel));
    options.onRecovery(async (channel) => (await ready).#recovery.serve(channel));
    try {
      const backups = new BackupStore(await openParts(options), options);
      await backups.#queue.resume();
      backups.#spreader.start();
      // Terabytes take a while to count: the node is up meanwhile, peers wait.
      backups.#count().then(() => resolve(backups), reject);
      return backups;
    } catch (error) {
      reject(error);
      throw error;
    }
  }

  /** Counts what lies on the disk, and says what is held. */
  async #count(): Promise<void> {
    const { shards, lists, quota, state, transport, log } = this.#holder;
    try {
      for await (const { owner, set, bytes } of shards.usage()) {
        const known = lists.all(owner, set);
        // Without a list: what was let go and not deleted yet, or an own run that never ended.
        const isOwn = state.authority().delegationFor(owner, set, transport.self) !== undefined;
        const isGuest =
          known.length === 0 ? !isOwn : known.some(({ header }) => header.by !== transport.self);
        if (isGuest) quota.stored(owner, bytes);
      }
      await this.#holdings.start();
      this.keeper.start();
    } catch (error) {
      log.error("what is held could not be counted; nothing more is taken in", {
        error: String(error),
      });
      throw error;
    }
  }

  async #noteComplete(list: LoadedList): Promise<void> {
    const { owner, set } = list.header;
    const bytes = this.#holdings.heldBytes(owner, set);
    if (bytes !== undefined) await this.keeper.noteHeld({ owner, set }, bytes);
    if (this.#holdings.hasAllPlaced(list)) await this.#holder.intake.endFirst(owner);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error("the node stops"));
    await this.keeper.stop();
    await this.#spreader.stop();
    await this.#queue.stop();
    await this.#receiver.stop();
    await this.#holdings.stop();
    await this.#running.stop();
  }

  /** What is configured for the lines is something else now. */
  linesChanged(): void {
    this.#queue.wake();
  }

  /** A list is held in full now, whichever way its shards came. */
  completed(list: LoadedList): void {
    this.#holdings.completed(list);
  }

  /** For the recovery server: what is held, and the files. */
  get holder(): Holder {
    return this.#holder;
  }

  async #serve(channel: Channel): Promise<void> {
    const frame = await channel.receive(SILENCE_MS);
    if (frame === undefined) return;
    const message = decodeOpenerMessage(frame);
    if (message.k === "get") await serveShard(this.#holder, channel, message);
    else if (message.k === "list") await serveList(this.#holder, channel, message);
    else if (message.k === "heads") await serveHeads(this.#holder, channel, message);
    else if (message.k === "offer") await this.#receiver.serve(channel, message);
    else throw new BackupError("E-BACKUP-PEER", `A channel began with "${message.k}".`);
  }

  putShard(
    set: SetId,
    shard: ShardId,
    bytes: Uint8Array,
    onWritten?: () => void,
  ): Promise<"stored" | "there"> {
    return this.#shards.put(set, shard, bytes, onWritten);
  }

  getShard(set: SetId, shard: ShardId): Promise<Uint8Array> {
    return this.#shards.get(set, shard);
  }

  getShardFrom(site: SiteId, wanted: WantedShard): Promise<Uint8Array> {
    return this.#shards.getFrom(site, wanted);
  }

  async commit(set: SetId, request: CommitRequest) {
    const after = await this.#serial.run(() => {
      this.#requireCaughtUp(set);
      return commit(this.#holder, this.#own, {
        owner: request.owner as OwnerId,
        set,
        sealedName: Buffer.from(request.sealedName, "base64"),
        keyEpoch: request.keyEpoch,
        copies: request.copies,
        head: request.head as Head | null,
        found: (request.found ?? []) as readonly Head[],
        settled: (request.settled ?? []) as readonly ShardId[],
        add: request.add.map(([shard, sizeBytes]) => ({ shard: shard as ShardId, sizeBytes })),
        again: (request.again ?? []).map(([shard, sizeBytes]) => ({
          shard: shard as ShardId,
          sizeBytes,
        })),
        remove: request.remove as readonly ShardId[],
        splitBytes: this.#splitBytes,
      });
    });
    this.#spreader.lookSoon(0);
    return this.#reports.extent(after);
  }

  /** Where the copies of an own set may lie. Counts at once, also for what is placed already. */
  async setRules(set: SetId, rules: OwnRulesRecord): Promise<readonly string[]> {
    await this.#serial.run(() => this.#rules.put(set, rules));
    this.#spreader.lookSoon(0);
    return this.#rules.unknown(set, this.#holder.state.authority());
  }

  #requireCaughtUp(set: SetId): void {
    if (!this.#spreader.history.behind().some((one) => one.set === set)) return;
    this.#spreader.lookSoon(0);
    const message = "This site's directory is older than what the site has published.";
    throw new BackupError("E-BACKUP-HEAD", message, {
      hint: "It catches up as soon as a holder is linked. See: pleach peers",
    });
  }

  sets() {
    return this.#reports.sets();
  }

  set(id: SetId) {
    return this.#reports.set(id);
  }

  /** The heads of a set, as the members know them now. */
  async heads(id: SetId) {
    const { state, transport, lists } = this.#holder;
    const place = placeOf(state.view(), id, transport.self);
    const owner =
      this.#own.get(id)?.owner ??
      place?.owner ??
      lists.all().find(({ header }) => header.set === id)?.header.owner;
    if (owner !== undefined) return askWitnesses(this.#holder, owner, id);
    // Before its first run nobody but this site can know of a set.
    return { heads: [], answered: 0, witnesses: Math.max(0, state.authority().sites.size - 1) };
  }

  copies(id: SetId, detail: boolean) {
    return this.#reports.copies(id, detail);
  }

  receipts(id: SetId, shard: ShardId) {
    return this.#reports.receipts(id, shard);
  }

  /** What each owner uses here and may use. */
  lentToOwners() {
    return lentToOwners(this.#holder);
  }

  accounts() {
    return pairAccounts(this.#holder);
  }
}
