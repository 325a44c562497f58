/**
 * When this node holds a round with which peer.
 *
 * At most a few run at once, and of one peer only one. A round that brings nothing from a peer that
 * differs is repeated ever more rarely, so that two nodes that cannot become equal (of different
 * versions, say) do not keep each other busy.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { Clock } from "../../core/clock.ts";
import type { RoundOutcome } from "./round.ts";

/** Bounds of the pause between two rounds with one peer. */
const PULL_MS = [30_000, 120_000] as const;
/** A peer that differs and has nothing for us is asked again after 1 s, 2 s, … 60 s. */
const BACKOFF_MS = [1_000, 60_000] as const;
/**
 * Rounds that run at once. After the first, most others find nothing to do, so few are better than
 * many; a slow one gives up its place to the next, though it goes on.
 */
const MAX_ROUNDS = 3;
const PLACE_MS = 10_000;

interface Plan {
  cancel: () => void;
  dueMs: number;
  backoffMs: number;
  state: "idle" | "planned" | "queued" | "runs";
  /** Asked for while a round was under way. */
  again: boolean;
}

export class Rounds {
  readonly #clock: Clock;
  readonly #run: (peer: SiteId) => Promise<RoundOutcome | undefined>;
  readonly #plans = new Map<SiteId, Plan>();
  readonly #queue: SiteId[] = [];
  #taken = 0;

  /**
   * @param run - Holds one round; undefined when it failed. Never rejects.
   */
  constructor(clock: Clock, run: (peer: SiteId) => Promise<RoundOutcome | undefined>) {
    this.#clock = clock;
    this.#run = run;
  }

  /** A peer is linked: a round after so long, others after it. */
  begin(peer: SiteId, delayMs: number): void {
    this.end(peer);
    const plan: Plan = { cancel: () => {}, dueMs: 0, backoffMs: 0, state: "idle", again: false };
    this.#plans.set(peer, plan);
    this.request(peer, delayMs);
  }

  /** No more rounds with a peer; one under way ends by itself. */
  end(peer: SiteId): void {
    this.#plans.get(peer)?.cancel();
    this.#plans.delete(peer);
  }

  endAll(): void {
    for (const peer of this.#plans.keys()) this.end(peer);
  }

  /** Makes sure that a round begins within `delayMs`, or as soon as the peer's backoff ends. */
  request(peer: SiteId, delayMs: number): void {
    const plan = this.#plans.get(peer);
    if (plan === undefined || plan.state === "queued") return;
    if (plan.state === "runs") {
      plan.again = true;
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    const dueMs = nowMs + Math.max(delayMs, plan.backoffMs);
    if (plan.state === "planned" && plan.dueMs <= dueMs) return;
    plan.cancel();
    plan.state = "planned";
    plan.dueMs = dueMs;
    plan.cancel = this.#clock.after(dueMs - nowMs, () => {
      plan.state = "queued";
      this.#queue.push(peer);
      this.#next();
    });
  }

  /** Found equal just now: a round that was planned for sooner is put off. */
  settle(peer: SiteId): void {
    const plan = this.#plans.get(peer);
    if (plan?.state !== "planned") return;
    plan.cancel();
    plan.state = "idle";
    plan.backoffMs = 0;
    this.request(peer, this.#pauseMs());
  }

  #pauseMs(): number {
    const [high = 0, low = 0] = this.#clock.random(2);
    return PULL_MS[0] + ((high * 256 + low) / 65_536) * (PULL_MS[1] - PULL_MS[0]);
  }

  #next(): void {
    while (this.#taken < MAX_ROUNDS) {
      const peer = this.#queue.shift();
      if (peer === undefined) return;
      const plan = this.#plans.get(peer);
      if (plan?.state === "queued") void this.#hold(peer, plan);
    }
  }

  async #hold(peer: SiteId, plan: Plan): Promise<void> {
    plan.state = "runs";
    this.#taken++;
    let hasPlace = true;
    const giveUpPlace = (): void => {
      if (!hasPlace) return;
      hasPlace = false;
      this.#taken--;
      this.#next();
    };
    const cancel = this.#clock.after(PLACE_MS, giveUpPlace);
    const outcome = await this.#run(peer);
    cancel();
    giveUpPlace();
    const useful = outcome !== undefined && (outcome.equal || isNews(outcome));
    const [least, most] = BACKOFF_MS;
    plan.backoffMs = useful ? 0 : Math.min(most, Math.max(least, plan.backoffMs * 2));
    plan.state = "idle";
    if (this.#plans.get(peer) !== plan) return;
    this.request(peer, plan.again ? 0 : this.#pauseMs());
    plan.again = false;
  }
}

function isNews(outcome: RoundOutcome): boolean {
  return outcome.statements + outcome.envelopes > 0;
}
