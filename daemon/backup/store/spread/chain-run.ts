/**
 * Works until every site of a chain has signed for all of one list, or can for now not be had.
 *
 * One hop at a time: the next hop gets the list, what it lacks, and the rest of the chain to pass
 * on to. The owner's site is economical: where a site already has everything, that site passes it
 * on, and the owner's uplink is left alone; a site that no other could reach is sent to directly.
 */
import { holdOf } from "../../../core/backup/published.ts";
import type { SiteId } from "../../../../protocol/ids.ts";
import { SHARD_PROTOCOL, type Refusal } from "../../../../protocol/messages/shard-message.ts";
import type { Holder } from "../holder.ts";
import { lackingOf, offerOf } from "../lists/lacking.ts";
import type { LoadedList } from "../lists/list-store.ts";
import { sendList, type SendOutcome } from "../lists/send-list.ts";
import { openUnless, type Address } from "../open-channel.ts";
import type { Slots } from "../shards/slots.ts";
import { Climb } from "./climb.ts";
import { HopPauses, LONGEST_PAUSE_MS } from "./hop-pauses.ts";
import { sendJobFor } from "./send-job.ts";

export interface ChainJob {
  readonly list: LoadedList;
  /** All who should hold it, best first. */
  readonly sites: readonly SiteId[];
  /** Whether holders that have everything are asked to pass it on before we send again. */
  readonly economical: boolean;
  onSent?(bytes: number): void;
  /** @param value - What the refusal says beside its reason; see shard-message.ts. */
  onRefused?(site: SiteId, why: Refusal, value: number): void;
  /** All sites have signed for everything. */
  onComplete?(): void;
}

const OPEN_TIMEOUT_MS = 15_000;
/** A hop may itself wait a whole patience for the next one before it has anything to tell. */
const STALL_PATIENCES = 2;
/** For links that are just coming up. */
const LINGER_MS = 10_000;
/** What a holder says that has no room, or none for this owner. */
const FULL: ReadonlySet<Refusal> = new Set(["space", "cap", "owner", "intake"]);
/**
 * What makes nobody wait for the hop: somebody else brings it the list, and may wait for us in turn, or
 * only the site that signs the list can write one that the hop takes.
 */
const NOT_OURS: ReadonlySet<Refusal> = new Set(["busy", "newer", "step"]);

export class ChainRun {
  readonly job: ChainJob;
  readonly #holder: Holder;
  readonly #patienceMs: number;
  readonly #slots: Slots;
  readonly #stop = new AbortController();
  /** Sites that others could not reach: sent to from here. */
  readonly #direct = new Set<SiteId>();
  /** Sites that ended a visit as if all were done, and brought nothing. */
  readonly #fruitless = new Set<SiteId>();
  readonly #pauses: HopPauses;
  readonly #climb: Climb;
  readonly #waiting: ((unreached: readonly SiteId[]) => void)[] = [];
  #progressAtMs: number;
  /** Receipts that came while we worked. */
  #gained = 0;
  #wake: () => void = () => {};
  #over = false;

  /** @param slots - Bounds how many shards are in memory at once. */
  constructor(holder: Holder, job: ChainJob, patienceMs: number, slots: Slots) {
    this.job = job;
    this.#slots = slots;
    this.#holder = holder;
    this.#climb = new Climb(holder, job.list);
    this.#pauses = new HopPauses(holder.clock, holder.transport);
    this.#patienceMs = patienceMs;
    this.#progressAtMs = holder.clock.monotonicMs();
  }

  /** Ends the work where it stands. */
  stop(): void {
    this.#stop.abort();
    this.#wake();
  }

  /**
   * Something has changed, such as a link that came up: look again now. A site that has no
   * room is left alone as long as before: asking makes none.
   */
  wake(): void {
    this.#pauses.wake();
    this.#wake();
  }

  /**
   * Resolves when all have signed, or those named could not be reached for the whole patience, or
   * can take nothing at this hour.
   */
  settled(): Promise<readonly SiteId[]> {
    if (this.#over) return Promise.resolve([]);
    this.#progressAtMs = this.#holder.clock.monotonicMs();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Runs until done or stopped. Never rejects for what a peer does. */
  async run(): Promise<void> {
    const unlink = this.#holder.transport.onLink((peer, up) => {
      if (!up || !this.job.sites.includes(peer)) return;
      // It is there again, for others as well: they are asked first.
      this.#direct.delete(peer);
      this.#pauses.noteRoom(peer, false);
      this.wake();
    });
    const stopTelling = this.#holder.receipts.onNew((added) => {
      if (added.some(({ receipt }) => receipt.set === this.job.list.header.set)) {
        this.#progressAtMs = this.#holder.clock.monotonicMs();
        this.#gained += added.length;
      }
    });
    try {
      while (!this.#stop.signal.aborted) {
        const { receipts, state } = this.#holder;
        const lacking = await lackingOf(receipts, state.view(), this.job.list, this.job.sites);
        const open = this.job.sites.filter((site) => (lacking.get(site)?.size ?? 0) > 0);
        if (open.length === 0) {
          this.job.onComplete?.();
          return;
        }
        const next = this.#nextHop(open, lacking);
        if (next === undefined) await this.#pause(open);
        else await this.#visit(next.hop, next.chain);
      }
    } finally {
      unlink();
      stopTelling();
      this.#over = true;
      this.#tellWaiting([]);
    }
  }

  #nextHop(
    open: readonly SiteId[],
    lacking: ReadonlyMap<SiteId, ReadonlySet<unknown>>,
  ): { hop: SiteId; chain: readonly SiteId[] } | undefined {
    const links = this.#holder.transport.links();
    const ready = this.job.sites.filter(
      (site) => links.includes(site) && this.#pauses.isReady(site),
    );
    // Who says to hold all of it only has to sign, whatever others kept back: that costs nothing.
    const claims = ready.find((site) => open.includes(site) && this.#saysToHold(site));
    if (claims !== undefined) return { hop: claims, chain: [] };
    const awake = open.filter((site) => !this.#pauses.isLater(site));
    const viaOthers = awake.filter((site) => !this.#direct.has(site));
    if (this.job.economical && viaOthers.length > 0) {
      const complete = this.job.sites.filter(
        (site) => links.includes(site) && !open.includes(site) && !this.#fruitless.has(site),
      );
      const first = complete.find((site) => ready.includes(site));
      if (first !== undefined) return { hop: first, chain: viaOthers };
      // One that is only busy just now is waited for: it has what we would have to send again.
      if (complete.length > 0) return this.#directHop(ready, open, lacking);
    }
    const hop = ready
      .filter((site) => open.includes(site))
      .toSorted((a, b) => (lacking.get(a)?.size ?? 0) - (lacking.get(b)?.size ?? 0))[0];
    return hop === undefined ? undefined : { hop, chain: awake.filter((site) => site !== hop) };
  }

  #directHop(
    ready: readonly SiteId[],
    open: readonly SiteId[],
    lacking: ReadonlyMap<SiteId, ReadonlySet<unknown>>,
  ): { hop: SiteId; chain: readonly SiteId[] } | undefined {
    const hop = ready
      .filter((site) => open.includes(site) && this.#direct.has(site))
      .toSorted((a, b) => (lacking.get(a)?.size ?? 0) - (lacking.get(b)?.size ?? 0))[0];
    return hop === undefined ? undefined : { hop, chain: [] };
  }

  /** Whether the record of a site names this very list, in the store that it has now. */
  #saysToHold(site: SiteId): boolean {
    const { owner, set, group } = this.job.list.header;
    const view = this.#holder.state.view();
    const hold = holdOf(view, owner, set, site);
    if (hold === undefined || hold.storeId !== offerOf(view, site)?.storeId) return false;
    return hold.groups.some((one) => one.group === group && one.list === this.job.list.id);
  }

  async #visit(hop: SiteId, chain: readonly SiteId[]): Promise<void> {
    const { log, transport, clock } = this.#holder;
    const { header } = this.job.list;
    const before = this.#gained;
    let outcome: SendOutcome;
    const stalled = new AbortController();
    const stopWatch = this.#watch(stalled);
    try {
      const signal = AbortSignal.any([this.#stop.signal, stalled.signal]);
      const address: Address = { site: hop, protocol: SHARD_PROTOCOL, timeoutMs: OPEN_TIMEOUT_MS };
      const onSent = (bytes: number): void => {
        this.#progressAtMs = clock.monotonicMs();
        this.job.onSent?.(bytes);
      };
      const send = async (list: LoadedList, to: readonly SiteId[]): Promise<SendOutcome> => {
        const channel = await openUnless(transport, address, signal);
        const visit = { list, hop, chain: to, slots: this.#slots, signal, onSent };
        return sendList(channel, sendJobFor(this.#holder, visit), clock);
      };
      outcome = await send(this.job.list, chain);
      while (outcome.kind === "refused" && outcome.why === "step") {
        const step = this.#climb.next(hop, outcome.value);
        if (step === undefined) break;
        const stepped = await send(step, []);
        outcome = stepped.kind === "refused" ? stepped : await send(this.job.list, chain);
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      // It says that it works and nothing comes of it: go round it.
      if (stalled.signal.aborted) for (const site of chain) this.#direct.add(site);
      log.info("a transfer was cut off", {
        set: header.set,
        group: header.group,
        site: hop,
        error: error instanceof Error ? error.message : String(error),
      });
      this.#pauses.rest(hop, this.#gained > before);
      return;
    } finally {
      stopWatch();
    }
    if (outcome.kind === "refused") {
      log.info("a site did not take a list", { set: header.set, site: hop, why: outcome.why });
      this.job.onRefused?.(hop, outcome.why, outcome.value);
      if (NOT_OURS.has(outcome.why)) this.#tellWaiting([hop]);
      if (outcome.why === "hours") this.#noteLater(hop, outcome.value);
      if (FULL.has(outcome.why)) this.#pauses.noteRoom(hop, true);
      this.#pauses.rest(hop, this.#gained > before);
      return;
    }
    this.#pauses.noteRoom(hop, false);
    for (const site of outcome.unreached) if (chain.includes(site)) this.#direct.add(site);
    // It says that all have signed, and gives no receipt: go round it.
    if (outcome.unreached.length === 0 && this.#gained === before) this.#fruitless.add(hop);
    // A site that took all we had and still lacks something waits for whoever has it.
    this.#pauses.rest(hop, this.#gained > before);
  }

  /** Ends a transfer in which no receipt and no acknowledged byte came for too long. */
  #watch(stalled: AbortController): () => void {
    const { clock } = this.#holder;
    const limitMs = STALL_PATIENCES * this.#patienceMs;
    let cancel = (): void => {};
    this.#progressAtMs = clock.monotonicMs();
    const look = (): void => {
      const leftMs = this.#progressAtMs + limitMs - clock.monotonicMs();
      if (leftMs <= 0) stalled.abort();
      else cancel = clock.after(leftMs, look);
    };
    look();
    return () => cancel();
  }

  /** Its own word: of others it is believed only so far that the site itself is asked. */
  #noteLater(site: SiteId, seconds: number): void {
    this.#pauses.noteLater(site, seconds);
    // It is there, and others can bring it what they have, when its line carries copies again.
    this.#direct.delete(site);
  }

  /** Waits for a link, for the end of a pause, or for the end of patience. */
  async #pause(open: readonly SiteId[]): Promise<void> {
    const nowMs = this.#holder.clock.monotonicMs();
    const links = this.#holder.transport.links();
    // Who is not even linked may be away for days: the one before us should not wait for that.
    const patienceMs = open.some((site) => links.includes(site))
      ? this.#patienceMs
      : Math.min(LINGER_MS, this.#patienceMs);
    const leftMs = this.#progressAtMs + patienceMs - nowMs;
    const closed = open.map((site) => this.#pauses.closedMs(site));
    // Who can take nothing for hours is not waited for either.
    if (leftMs <= 0 || closed.every((closedMs) => closedMs > 0)) this.#tellWaiting(open);
    const soonest = [...this.#pauses.leftMs(), ...closed.filter((closedMs) => closedMs > 0)];
    const waitMs = Math.min(...soonest, leftMs > 0 ? leftMs : LONGEST_PAUSE_MS, LONGEST_PAUSE_MS);
    await new Promise<void>((resolve) => {
      const cancel = this.#holder.clock.after(waitMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
      if (this.#stop.signal.aborted) this.#wake();
    });
    this.#wake = () => {};
  }

  #tellWaiting(unreached: readonly SiteId[]): void {
    for (const resolve of this.#waiting.splice(0)) resolve(unreached);
  }
}
