/**
 * Asks the other holders of every set that this site writes or holds, and says what it found.
 *
 * Looks at what is due from time to time; what is asked and what an answer means is decided in
 * daemon/core/backup/audit-choice.ts and audit-progress.ts. One visit to a site at a time, few at once.
 */
import { settleByteDays } from "../../core/backup/audit-account.ts";
import { retryMs, roundsOfWhole, tickMs, type AuditPace } from "../../core/backup/audit-pace.ts";
import {
  dropUnlisted,
  elapse,
  isOpen,
  isRoundDue,
  outcomeOf,
  putRound,
  type AuditProgress,
} from "../../core/backup/audit-progress.ts";
import type { Store } from "../../core/store.ts";
import { toHex, type SiteId } from "../../../protocol/ids.ts";
import { NONCE_BYTES } from "../../../protocol/messages/audit-message.ts";
import type { AuditFinding } from "../../../protocol/logs/hold-record.ts";
import { RepeatedWork } from "../repeated-work.ts";
import type { Holder } from "../store/holder.ts";
import type { ShardName } from "../store/shards/shard-store.ts";
import { Slots } from "../store/shards/slots.ts";
import {
  askedSets,
  claimsOf,
  drawRound,
  formerClaim,
  listedIn,
  type AskedSet,
  type Claim,
} from "./audit-set.ts";
import { findingOf, publishFindings } from "./findings.ts";
import { PairStore } from "./pair-store.ts";
import { Pairs, type Pair } from "./pairs.ts";
import { Silence } from "./silence.ts";
import { visitHolder } from "./visit-holder.ts";

/** Visits at once. */
const MAX_VISITS = 4;
/** A tick that came this many times too late did not run in between: the machine slept. */
const LATE_TICKS = 3;
/** After a link came up, and after the start. */
const SOON_MS = 500;

/** How often answers are written down during a visit; what is lost of them is asked again. */
const SAVE_MS = 60_000;

/** A visit that could be made now. */
interface DueVisit {
  readonly asked: AskedSet;
  readonly claim: Claim;
  readonly pair: Pair;
  readonly suspectsToo: boolean;
}

export interface AuditorOptions {
  readonly holder: Holder;
  readonly store: Store;
  /** As it is now; a reload of the configuration may change it. */
  readonly pace: () => AuditPace;
  /** An own copy turned out to be damaged. */
  readonly onDamaged: (name: ShardName) => void;
}

export class Auditor {
  readonly #options: AuditorOptions;
  readonly #pairs: Pairs;
  readonly #silence: Silence;
  readonly #slots = new Slots(MAX_VISITS);
  readonly #visits = new Map<SiteId, Promise<void>>();
  readonly #stops: (() => void)[] = [];
  #lastTickMs: number;
  #countedMs: number;
  #unsavedMs = 0;
  readonly #ticks: RepeatedWork;
  readonly #stopping = new AbortController();

  private constructor(options: AuditorOptions, pairs: Pairs, silence: Silence) {
    this.#options = options;
    this.#pairs = pairs;
    this.#silence = silence;
    const { clock, log } = options.holder;
    this.#lastTickMs = clock.monotonicMs();
    this.#countedMs = this.#lastTickMs;
    this.#ticks = new RepeatedWork(clock, () =>
      this.#tick()
        .catch((error: unknown) => {
          log.error("holders could not be asked", { error: String(error) });
        })
        .then(() => tickMs(options.pace())),
    );
  }

  static async start(options: AuditorOptions): Promise<Auditor> {
    const pairs = await Pairs.open(new PairStore(options.store));
    const auditor = new Auditor(options, pairs, await Silence.open(options.store));
    const { transport } = options.holder;
    auditor.#stops.push(
      transport.onLink((site, up) => {
        auditor.#countAway();
        if (!up) return;
        for (const pair of auditor.#pairs.all()) if (pair.site === site) pair.notBeforeMs = 0;
        auditor.#ticks.within(SOON_MS);
      }),
    );
    auditor.#ticks.within(SOON_MS);
    return auditor;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const stop of this.#stops) stop();
    await this.#ticks.stop();
    await Promise.all(this.#visits.values());
  }

  /** Sites that were away for longer than one waits for them; see core/backup/absence.ts. */
  silentSites(): ReadonlySet<SiteId> {
    return this.#silence.sites(this.#options.pace().patienceMs);
  }

  async #tick(): Promise<void> {
    const { holder, pace } = this.#options;
    const { state, clock } = holder;
    const elapsedMs = this.#since(this.#lastTickMs);
    this.#lastTickMs = clock.monotonicMs();
    if (this.#stopping.signal.aborted || state.meshId === undefined) return;
    this.#countAway();
    const saveMs = retryMs(pace());
    this.#unsavedMs += elapsedMs;
    if (this.#unsavedMs >= saveMs) {
      this.#unsavedMs = 0;
      await this.#silence.save();
    }
    for (const pair of this.#pairs.all()) this.#passTime(pair, elapsedMs);
    const names: { site: SiteId; owner: AskedSet["owner"]; set: AskedSet["set"] }[] = [];
    const due: DueVisit[] = [];
    for (const asked of askedSets(holder)) {
      if (this.#stopping.signal.aborted) return;
      const claims = claimsOf(holder, asked);
      for (const claim of claims) names.push({ ...asked, site: claim.site });
      due.push(...(await this.#lookAt(asked, claims)));
    }
    // A site that takes its time over one set must not keep its other sets from being asked for.
    for (const visit of due.toSorted((a, b) => a.pair.visitedMs - b.pair.visitedMs)) {
      this.#begin(visit);
    }
    const { wholeMs, patienceMs } = pace();
    await this.#pairs.retain(names, this.silentSites(), wholeMs + patienceMs);
    for (const pair of this.#pairs.all()) {
      if (pair.unsavedMs >= saveMs && !pair.busy) await this.#pairs.save(pair, "cached");
      if (pair.notBeforeMs > clock.monotonicMs() + saveMs) pair.notBeforeMs = 0;
    }
  }

  /** Running time since a moment of the monotonic clock; much of it at once was sleep. */
  #since(beforeMs: number): number {
    const elapsedMs = this.#options.holder.clock.monotonicMs() - beforeMs;
    return Math.min(elapsedMs, LATE_TICKS * tickMs(this.#options.pace()) + SOON_MS);
  }

  /** Counts the time until now for those who were linked in it, and for those who were not. */
  #countAway(): void {
    const { holder, pace } = this.#options;
    const { state, transport, clock } = holder;
    const elapsedMs = this.#since(this.#countedMs);
    this.#countedMs = clock.monotonicMs();
    if (state.meshId === undefined) return;
    const members = new Set(state.authority().sites.keys());
    members.delete(transport.self);
    this.#silence.elapse(elapsedMs, members, transport.links(), pace().patienceMs);
  }

  #passTime(pair: Pair, elapsedMs: number): void {
    pair.visitMs += elapsedMs;
    if (pair.busy) return;
    const passedMs = pair.visitMs;
    pair.visitMs = 0;
    const isThere = this.#options.holder.transport.links().includes(pair.site);
    const { progress, byteDays } = pair.state;
    pair.state = {
      progress: elapse(progress, passedMs, isThere, this.#options.pace()),
      byteDays: { ...byteDays, sinceMs: byteDays.sinceMs + passedMs },
    };
    pair.unsavedMs += passedMs;
  }

  /** Tells what is known of the holders of a set. @returns whom to visit about it. */
  async #lookAt(asked: AskedSet, claims: readonly Claim[]): Promise<readonly DueVisit[]> {
    const { holder, pace } = this.#options;
    const silent = this.silentSites();
    const findings: AuditFinding[] = [];
    const due: DueVisit[] = [];
    for (const claim of claims) {
      const name = { ...asked, site: claim.site };
      if (claim.storeId === undefined && this.#pairs.get(name) === undefined) continue;
      const { everyMs } = pace();
      const [chance = 0] = holder.clock.random(1);
      // A new one is asked soon, and those that are new together not all at once.
      const sinceRoundMs = everyMs * (1 - chance / 256 / 12);
      const before = this.#pairs.get(name)?.state.progress.storeId;
      const storeId = claim.storeId ?? before;
      if (storeId === undefined) continue;
      const pair = this.#pairs.of(name, storeId, sinceRoundMs);
      due.push(...this.#dueVisit(asked, claim, pair));
      const finding = findingOf(pair, claim, silent);
      if (finding !== undefined) findings.push(finding);
    }
    for (const pair of this.#pairs.goneFrom(asked, claims, silent)) {
      const finding = findingOf(pair, formerClaim(holder, asked, pair.site), silent);
      if (finding !== undefined) findings.push(finding);
    }
    await publishFindings(holder, asked, findings);
    return due;
  }

  #dueVisit(asked: AskedSet, claim: Claim, pair: Pair): readonly DueVisit[] {
    const { pace, holder } = this.#options;
    const { progress, byteDays } = pair.state;
    const { suspects, sinceSuspectsMs } = progress;
    const suspectsToo = suspects.length > 0 && sinceSuspectsMs >= retryMs(pace());
    const isDue = isRoundDue(progress, pace()) && claim.groups.length > 0;
    if (byteDays.sinceMs >= 2 * pace().everyMs) this.#settle(pair, claim, false);
    if (!isDue && !isOpen(progress) && !suspectsToo) return [];
    if (pair.busy || pair.notBeforeMs > holder.clock.monotonicMs()) return [];
    return [{ asked, claim, pair, suspectsToo }];
  }

  #begin({ asked, claim, pair, suspectsToo }: DueVisit): void {
    const { clock, log } = this.#options.holder;
    if (this.#stopping.signal.aborted || this.#visits.has(pair.site)) return;
    pair.busy = true;
    pair.visitedMs = clock.monotonicMs();
    const visit = this.#slots
      .run(() => this.#visit(asked, claim, pair, suspectsToo))
      .catch((error: unknown) => {
        log.error("a holder could not be asked", { error: String(error) });
      })
      .finally(() => {
        pair.busy = false;
        this.#visits.delete(pair.site);
        this.#ticks.within(Math.min(SOON_MS, tickMs(this.#options.pace())));
      });
    this.#visits.set(pair.site, visit);
  }

  async #visit(asked: AskedSet, claim: Claim, pair: Pair, suspectsToo: boolean): Promise<void> {
    const { holder, pace, onDamaged } = this.#options;
    if (this.#stopping.signal.aborted) return;
    let { progress } = pair.state;
    const groups = [...progress.open, ...progress.suspects].map(({ group }) => group);
    progress = dropUnlisted(progress, await listedIn(holder, asked, groups));
    if (isRoundDue(progress, pace())) {
      this.#settle(pair, claim, progress.round > 0 && outcomeOf(progress) === "proven");
      const round = progress.round + 1;
      const items = await drawRound(holder, asked, claim, round, roundsOfWhole(pace()));
      progress = putRound(progress, toHex(holder.clock.random(NONCE_BYTES)), items);
      await this.#pairs.keep(pair, progress, "durable");
    }
    let savedMs = holder.clock.monotonicMs();
    const keep = async (next: AuditProgress): Promise<void> => {
      this.#pairs.note(pair, next);
      // What is open of 1 TiB is a megabyte, and there are a thousand answers to it.
      if (holder.clock.monotonicMs() - savedMs < SAVE_MS) return;
      savedMs = holder.clock.monotonicMs();
      await this.#pairs.save(pair, "cached");
    };
    const { site } = pair;
    const { signal } = this.#stopping;
    const plan = { holder, site, asked, suspectsToo, onDamaged, keep, signal };
    const after = await visitHolder(plan, progress);
    await this.#pairs.save(pair, "cached");
    if (after.visit !== "answered") {
      pair.notBeforeMs = holder.clock.monotonicMs() + retryMs(pace());
    }
  }

  #settle(pair: Pair, { givenBytes, heldBytes }: Claim, isProven: boolean): void {
    const byteDays = settleByteDays(pair.state.byteDays, { givenBytes, heldBytes, isProven });
    pair.state = { ...pair.state, byteDays };
  }
}
