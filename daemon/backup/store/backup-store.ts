/**
 * The network side of backups, put together: what the control socket asks and what peers ask.
 *
 * Key-free: everything here is ciphertext, signed lists and receipts.
 */
import type { Clock } from "../../core/clock.ts";
import { SPLIT_BYTES } from "../../core/backup/next-lists.ts";
import { placeOf } from "../../core/backup/published.ts";
import { termsFor, type Lending } from "../../core/backup/lending.ts";
import type { Store } from "../../core/store.ts";
import type { Channel, Transport } from "../../core/transport.ts";
import type { Logger } from "../../observe/log.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import type { OwnerId, PeerKey, SetId, ShardId, SiteId } from "../../../protocol/ids.ts";
import { holdKey, placeKey } from "../../../protocol/logs/record.ts";
import { decodeOpenerMessage, SHARD_PROTOCOL } from "../../../protocol/messages/shard-message.ts";
import { isShardSize, shardIdOf } from "../../../protocol/backup/shard-id.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import { IntakeBook } from "../keep/intake-book.ts";
import { Keeper } from "../keep/keeper.ts";
import { RunningTime } from "../keep/running-time.ts";
import { SetGates } from "../keep/set-gate.ts";
import { lentToOwners, pairAccounts } from "./own/accounts.ts";
import { Arrivals } from "./shards/arrivals.ts";
import { ChainQueue } from "./spread/chain-queue.ts";
import { commit } from "./own/commit.ts";
import { BackupError } from "./error.ts";
import { ShardFetcher, type ShardSource } from "./spread/fetch-any.ts";
import { fetchRanges, serveList, serveShard } from "./spread/fetch.ts";
import type { Holder } from "./holder.ts";
import { Holdings } from "./lists/holdings.ts";
import { keptWords } from "./lists/kept-words.ts";
import { ListStore, type LoadedList } from "./lists/list-store.ts";
import { SILENCE_MS } from "./spread/outbox.ts";
import { OwnRules, type OwnRulesRecord } from "./own/own-rules.ts";
import { OwnSets } from "./own/own-sets.ts";
import type { BackupState, ProviderRecords } from "./ports.ts";
import { Quota } from "./shards/quota.ts";
import { ListReceiver } from "./lists/receive-list.ts";
import { RecoverServer } from "./recover/recover-server.ts";
import { ReceiptStore } from "./spread/receipt-store.ts";
import { SafetyFacts } from "./own/safety-facts.ts";
import { SetReports, unknownSet } from "./own/set-reports.ts";
import { Serial } from "./serial.ts";
import { ShardStore, type ShardName } from "./shards/shard-store.ts";
import { spareGroups } from "./own/spare-groups.ts";
import { Spreader } from "./spread/spreader.ts";
import type { SpreadTimes } from "./spread/targets.ts";
import { WaitingOwners } from "./spread/waiting-owners.ts";
import { askWitnesses, serveHeads } from "./own/witnesses.ts";

export interface BackupStoreOptions extends Partial<SpreadTimes> {
  /** Where shards lie; made when absent. */
  readonly directory: string;
  readonly store: Store;
  readonly state: BackupState;
  readonly transport: Transport;
  readonly providers: ProviderRecords;
  /** Serves the recovery protocol to recovery keys; see recover-message.ts. */
  readonly onRecovery: (handler: (channel: Channel<PeerKey>) => Promise<void>) => void;
  readonly siteKey: SigningKey;
  /** What is lent to others now, and to whom; a reload of the configuration may change it. */
  readonly lending: () => Lending;
  /** A group above it is split. Default: 16 GiB. */
  readonly splitBytes?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const MINUTE_MS = 60_000;
/** As the design has it: a silent hop is passed over after half an hour, a holder after 72 h. */
const DEFAULT_TIMES: SpreadTimes = { silentMs: 30 * MINUTE_MS, lostMs: 72 * 60 * MINUTE_MS };

interface RequestedHead {
  readonly chain: string;
  readonly number: number;
  readonly previous: string | null;
  readonly root: string;
  readonly atMs: number;
}

export interface CommitRequest {
  readonly owner: string;
  readonly sealedName: string;
  readonly keyEpoch: number;
  readonly copies: number;
  readonly head: RequestedHead | null;
  /** See next-tips.ts. Default: none. */
  readonly found?: readonly RequestedHead[];
  readonly settled?: readonly string[];
  /** Listed again, wherever they are. Default: none. */
  readonly again?: readonly (readonly [shard: string, sizeBytes: number])[];
  readonly add: readonly (readonly [shard: string, sizeBytes: number])[];
  readonly remove: readonly string[];
}

/** What is opened before the rest. */
interface Made {
  readonly holder: Holder;
  readonly holdings: Holdings;
  readonly own: OwnSets;
  readonly rules: OwnRules;
  readonly running: RunningTime;
  readonly keeper: Keeper;
}

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
  readonly #fetcher: ShardFetcher;
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
    this.#fetcher = new ShardFetcher(holder.clock);
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
      const backups = await BackupStore.#build(options);
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

  static async #build(options: BackupStoreOptions): Promise<BackupStore> {
    const { store, state, transport, siteKey, clock, lending } = options;
    const log = options.log.part("backup");
    const shards = await ShardStore.open(options.directory);
    const own = await OwnSets.open(store);
    const rules = await OwnRules.open(store);
    const running = await RunningTime.open(store, clock);
    const lists = await ListStore.open(store, () => running.nowMs());
    const quota = new Quota(
      () => lending().spaceBytes,
      (owner) => lists.storedBytes(owner),
    );
    const receipts = new ReceiptStore(store, () => clock.wallMs());
    const arrivals = new Arrivals();
    const gates = new SetGates();
    const intake = await IntakeBook.open(store, {
      runningMs: () => running.nowMs(),
      termsFor: (owner) => termsFor(lending(), owner),
    });
    const parts = { siteKey, state, transport, shards, lists, receipts, quota, arrivals };
    const waiting = new WaitingOwners();
    const keepsLocal = (set: SetId): boolean => rules.of(set).local === "keep";
    const holder: Holder = { ...parts, lending, intake, waiting, keepsLocal, gates, clock, log };
    const holdings = new Holdings(holder, options.providers);
    const facts = new SafetyFacts(holder);
    const keeper = await Keeper.open({
      ...{ store, shards, lists, gates, clock, log },
      words: keptWords(state, transport, (header) => holdings.letGo(header)),
      spareGroups: (of) => spareGroups(holder, own, rules, facts, of),
      authority: () => state.authority(),
      self: transport.self,
      runningMs: () => running.nowMs(),
      isPublished: ({ set }) => {
        return state.view().get("place", placeKey(set), transport.self) !== undefined;
      },
      onRemoved: ({ owner, set }, bytes) => {
        if (own.get(set) === undefined) quota.removed(owner, bytes);
      },
    });
    const made = { holder, holdings, own, rules, running, keeper };
    return new BackupStore(made, options);
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

  async putShard(
    set: SetId,
    shard: ShardId,
    bytes: Uint8Array,
    onWritten?: () => void,
  ): Promise<"stored" | "there"> {
    const name = { owner: this.#ownerFor(set, shard, bytes), set, shard };
    return this.#holder.shards.put(name, bytes, onWritten);
  }

  /** From the local store, else from any holder; then it is kept here again. */
  async getShard(set: SetId, shard: ShardId): Promise<Uint8Array> {
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
  async getShardFrom(
    site: SiteId,
    { set, shard, keep }: { readonly set: SetId; readonly shard: ShardId; readonly keep: boolean },
  ): Promise<Uint8Array> {
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
          signal: this.#stop.signal,
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
