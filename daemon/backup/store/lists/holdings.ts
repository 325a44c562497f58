/**
 * What this site says about itself as a holder: its offer, what it holds in full, and provider
 * records in the DHT, by which a box with nothing but a phrase finds it.
 */
import { changedPages } from "../../../core/backup/changed-pages.ts";
import { holdsBy, placeOf } from "../../../core/backup/published.ts";
import { letGoOf, withoutPart, withPart, type Part } from "../../../core/backup/let-go.ts";
import type { OwnerTerms } from "../../../core/backup/lending.ts";
import { sameJson, type JsonValue } from "../../../../protocol/encoding/json-value.ts";
import {
  idBytes,
  sha256,
  type ListId,
  type MeshId,
  type OwnerId,
  type SetId,
} from "../../../../protocol/ids.ts";
import { holdRecords } from "../../../../protocol/logs/record-pages.ts";
import { holdKey, parseHoldKey } from "../../../../protocol/logs/record.ts";
import type { RecordClass } from "../../../../protocol/logs/record-class.ts";
import { RepeatedWork } from "../../repeated-work.ts";
import type { Holder } from "../holder.ts";
import { missingOf } from "../holder.ts";
import type { LoadedList } from "./list-store.ts";
import type { ProviderRecords } from "../ports.ts";
import { Serial } from "../serial.ts";

/** The offer is written again only when so much of it has changed, or after {@link OFFER_MS}. */
const OFFER_STEP = 0.02;
const OFFER_MS = 60_000;
/** Provider records live for a day or two; a member that joins later should find them, too. */
const PROVIDE_MS = 30 * 60_000;
/** After a failure, and after a link came up. */
const PROVIDE_SOON_MS = 3000;

/** The key of the provider records of an owner's holders. */
export function providerKey(mesh: MeshId, owner: OwnerId): Uint8Array {
  return sha256("pleach/owner/1\0", idBytes(mesh), idBytes(owner));
}

export class Holdings {
  readonly #holder: Holder;
  readonly #providers: ProviderRecords;
  readonly #serial = new Serial();
  readonly #complete = new Map<string, Map<number, LoadedList["header"] & { id: ListId }>>();
  /** Parts of sets that were let go, by key of the `hold` record. */
  readonly #letGo = new Map<string, readonly Part[]>();
  readonly #stops: (() => void)[] = [];
  /** Below 0: nothing was offered since the start. */
  #offeredBytes = -1;
  readonly #offers: RepeatedWork;
  readonly #provides: RepeatedWork;

  constructor(holder: Holder, providers: ProviderRecords) {
    this.#holder = holder;
    this.#providers = providers;
    const inTurn = (work: () => Promise<number>): Promise<number> =>
      this.#serial.run(work).catch((error: unknown) => {
        this.#warn(error);
        return OFFER_MS;
      });
    // The configuration may be read again, without a word to anybody here.
    this.#offers = new RepeatedWork(holder.clock, () =>
      inTurn(() => this.#writeOffer().then(() => OFFER_MS)),
    );
    this.#provides = new RepeatedWork(holder.clock, () =>
      inTurn(async () => ((await this.#provideAll()) ? PROVIDE_MS : OFFER_MS)),
    );
  }

  /** Looks at all held lists once, and says what is found. */
  async start(): Promise<void> {
    const { lists, transport, state } = this.#holder;
    for (const { header } of lists.all()) {
      if (header.by === transport.self) continue;
      const list = await lists.load(header.owner, header.set, header.group);
      if (list !== undefined && (await missingOf(this.#holder, list)).length === 0) {
        this.#note(list);
        await lists.noteComplete(list);
      }
    }
    this.#stops.push(
      state.subscribe(() => {
        if (this.#isOlder()) this.#run(() => this.#writeHolds());
        this.#offerSoon();
      }),
      transport.onLink((_peer, up) => {
        if (up) this.#provides.within(PROVIDE_SOON_MS);
      }),
    );
    this.#offerSoon();
    this.#provides.within(PROVIDE_SOON_MS);
    await this.#serial.run(() => this.#writeHolds());
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    await Promise.all([this.#offers.stop(), this.#provides.stop()]);
    await this.#serial.run(async () => {});
  }

  /** A list is held in full now. */
  completed(list: LoadedList): void {
    this.#note(list);
    this.#run(async () => {
      await this.#holder.lists.noteComplete(list);
      await this.#writeHolds();
    });
    this.#offerSoon();
    this.#provides.within(0);
  }

  /** The group is held no longer: receipts for it are void. Durable before anything goes. */
  async letGo(header: LoadedList["header"]): Promise<void> {
    const key = holdKey(header.owner, header.set);
    await this.#serial.run(async () => {
      this.#complete.get(key)?.delete(header.group);
      const voided = withPart(this.#letGoOf(key), header);
      // What the list of another site of the owner names as well is held for that one.
      const held = [...(this.#complete.get(key)?.values() ?? [])];
      this.#letGo.set(key, held.reduce(withoutPart, voided));
      await this.#writeHold(key);
    });
  }

  /** What was let go of a set, as this site has said it itself. */
  #letGoOf(key: string): readonly Part[] {
    const known = this.#letGo.get(key);
    const name = parseHoldKey(key);
    if (known !== undefined || name === undefined) return known ?? [];
    const { state, transport } = this.#holder;
    return letGoOf(state.view(), transport.self, name.owner, name.set);
  }

  #note(list: LoadedList): void {
    const key = holdKey(list.header.owner, list.header.set);
    this.#letGo.set(key, withoutPart(this.#letGoOf(key), list.header));
    const groups = this.#complete.get(key) ?? new Map();
    groups.set(list.header.group, { ...list.header, id: list.id });
    this.#complete.set(key, groups);
  }

  /** Whether others know of newer lists that this very store has signed for. */
  #isOlder(): boolean {
    const { state, transport, lists, shards } = this.#holder;
    return [...holdsBy(state.view(), transport.self)].some(({ owner, set, hold }) => {
      if (hold.storeId !== shards.storeId) return false;
      return hold.groups.some(({ group, generation }) => {
        // Another site of the owner may have gone on with lower numbers.
        return (lists.taken(owner, set, group)?.topGeneration ?? 0) < generation;
      });
    });
  }

  async #writeHolds(): Promise<void> {
    if (this.#isOlder()) {
      // A directory that was restored from a copy lacks what was signed for since: the store is
      // another one now, its receipts are void, and owners send again what is missing.
      await this.#holder.shards.renewId();
      this.#holder.log.warn("this directory is older than what the site has signed for");
      await this.#writeOffer();
    }
    for (const key of this.#complete.keys()) await this.#writeHold(key);
  }

  async #writeHold(key: string): Promise<void> {
    const groups = [...(this.#complete.get(key)?.values() ?? [])];
    const letGo = this.#letGoOf(key).map(({ group, groups: all }) => ({ group, groups: all }));
    const name = parseHoldKey(key);
    if (name === undefined) return;
    const records = holdRecords(name.owner, name.set, {
      storeId: this.#holder.shards.storeId,
      groups: groups.map(({ group, generation, id }) => ({ group, generation, list: id })),
      letGo,
    });
    const { state, transport } = this.#holder;
    if (!this.#maySpeak()) return;
    const changes = changedPages(state.view(), transport.self, "hold", records);
    if (changes.length > 0) await state.write(changes);
  }

  /** Small changes wait, so that a long transfer does not fill the log with offers. */
  #offerSoon(): void {
    const { quota } = this.#holder;
    const changedBytes = Math.abs(quota.usedBytes - this.#offeredBytes);
    const now = this.#offeredBytes < 0 || changedBytes > quota.spaceBytes * OFFER_STEP;
    this.#offers.within(now ? 0 : OFFER_MS);
  }

  async #writeOffer(): Promise<void> {
    const { quota, shards, state, transport, lending } = this.#holder;
    if (state.meshId === undefined || !state.authority().sites.has(transport.self)) return;
    const usedBytes = quota.usedBytes;
    const { spaceBytes } = quota;
    // A site that lends nothing still says so when it has lent before.
    if (spaceBytes === 0 && state.view().get("offer", "offer", transport.self) === undefined)
      return;
    const { to, capBytes, dailyBytes, owners = [] } = lending();
    await this.#write("offer", "offer", {
      ...{ spaceBytes, usedBytes, storeId: shards.storeId },
      to: to === "all" ? to : [...to],
      ...(capBytes === undefined ? {} : { capBytes }),
      ...(dailyBytes === undefined ? {} : { dailyBytes }),
      ...(owners.length === 0 ? {} : { owners: owners.map(termsValue) }),
    });
    this.#offeredBytes = usedBytes;
  }

  /** Writes a record when it is not what the view shows. */
  async #write(recordClass: RecordClass, key: string, value: JsonValue): Promise<void> {
    const { state, transport } = this.#holder;
    if (!this.#maySpeak()) return;
    const shown = state.view().get(recordClass, key, transport.self)?.value;
    if (shown !== undefined && sameJson(shown, value)) return;
    await state.write([{ class: recordClass, key, value }]);
  }

  #maySpeak(): boolean {
    const { state, transport } = this.#holder;
    return state.meshId !== undefined && state.authority().sites.has(transport.self);
  }

  async #provideAll(): Promise<boolean> {
    const mesh = this.#holder.state.meshId;
    if (mesh === undefined) return true;
    let ok = true;
    for (const owner of this.#heldOwners()) {
      try {
        await this.#providers.provide(providerKey(mesh, owner));
      } catch (error) {
        ok = false;
        this.#holder.log.info("provider record not placed", { error: String(error) });
      }
    }
    return ok;
  }

  #heldOwners(): Set<OwnerId> {
    const owners = new Set<OwnerId>();
    for (const groups of this.#complete.values()) {
      for (const { owner } of groups.values()) owners.add(owner);
    }
    return owners;
  }

  /**
   * Whether everything is here that the site which signed this list has placed here, a snapshot
   * among it: the owner's first upload is over.
   */
  hasAllPlaced({ header }: LoadedList): boolean {
    const groups = this.#complete.get(holdKey(header.owner, header.set));
    if (groups === undefined || [...groups.values()].every(({ head }) => head === null)) {
      return false;
    }
    const { state, transport } = this.#holder;
    const place = placeOf(state.view(), header.set, header.by);
    if (place === undefined) return true;
    // The rest of what was published is on its way.
    if (place.groups.length < place.groupCount) return false;
    return place.groups.every(
      ({ targets }, group) => !targets.includes(transport.self) || groups.has(group),
    );
  }

  /** Bytes that the newest lists of a set name; undefined unless all of that is here. */
  heldBytes(owner: OwnerId, set: SetId): number | undefined {
    const groups = this.#complete.get(holdKey(owner, set));
    const newest = this.#holder.lists.all(owner, set);
    const isAll = newest.every(({ id, header }) => groups?.get(header.group)?.id === id);
    // While a set is split its lists overlap.
    const isOne = new Set(newest.map(({ header }) => header.groups)).size === 1;
    return isAll && isOne ? newest.reduce((sum, { header }) => sum + header.bytes, 0) : undefined;
  }

  /** Sets of which this site holds every group that it has a list of. */
  heldSets(): readonly { owner: OwnerId; set: SetId }[] {
    return [...this.#complete.values()].flatMap((groups) => {
      const [first] = groups.values();
      return first === undefined ? [] : [{ owner: first.owner, set: first.set }];
    });
  }

  #run(work: () => Promise<void>): void {
    this.#serial.run(work).catch((error: unknown) => this.#warn(error));
  }

  #warn(error: unknown): void {
    this.#holder.log.warn("records of this holder were not written", { error: String(error) });
  }
}

function termsValue({ owner, capBytes, dailyBytes }: OwnerTerms): JsonValue {
  return {
    owner,
    ...(capBytes === undefined ? {} : { capBytes }),
    ...(dailyBytes === undefined ? {} : { dailyBytes }),
  };
}
