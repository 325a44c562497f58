/** Opens what a store of shards is made of: disk, lists, own sets, locks and words about them. */
import type { Clock } from "../../core/clock.ts";
import { termsFor, type Lending } from "../../core/backup/lending.ts";
import type { Store } from "../../core/store.ts";
import type { Channel, Transport } from "../../core/transport.ts";
import type { Logger } from "../../observe/log.ts";
import type { PeerKey, SetId } from "../../../protocol/ids.ts";
import { placeKey } from "../../../protocol/logs/record.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import { IntakeBook } from "../keep/intake-book.ts";
import { Keeper } from "../keep/keeper.ts";
import { RunningTime } from "../keep/running-time.ts";
import { SetGates } from "../keep/set-gate.ts";
import { Arrivals } from "./shards/arrivals.ts";
import type { Holder } from "./holder.ts";
import { Holdings } from "./lists/holdings.ts";
import { keptWords } from "./lists/kept-words.ts";
import { ListStore } from "./lists/list-store.ts";
import { OwnRules } from "./own/own-rules.ts";
import { OwnSets } from "./own/own-sets.ts";
import type { BackupState, ProviderRecords } from "./ports.ts";
import { Quota } from "./shards/quota.ts";
import { ReceiptStore } from "./spread/receipt-store.ts";
import { SafetyFacts } from "./own/safety-facts.ts";
import { ShardStore } from "./shards/shard-store.ts";
import { spareGroups } from "./own/spare-groups.ts";
import type { SpreadTimes } from "./spread/targets.ts";
import { WaitingOwners } from "./spread/waiting-owners.ts";

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

/** What is opened before the rest. */
export interface Made {
  readonly holder: Holder;
  readonly holdings: Holdings;
  readonly own: OwnSets;
  readonly rules: OwnRules;
  readonly running: RunningTime;
  readonly keeper: Keeper;
}

export async function openParts(options: BackupStoreOptions): Promise<Made> {
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
  return { holder, holdings, own, rules, running, keeper };
}
