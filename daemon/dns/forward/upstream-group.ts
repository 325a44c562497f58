/**
 * Some upstreams that answer the same questions: asks the best, the next when that is slow or gone,
 * and knows how each of them is.
 *
 * One name that nobody can resolve must not make an upstream count as gone. So when a question waits for
 * long, the upstream is asked for the name servers of the root, which each resolver has at hand. Only when
 * that gets no answer it is left out, and looked for in the same way until it is back.
 */
import { RCODE } from "../../../protocol/dns/dns-code.ts";
import { ROOT_NAME } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { Clock } from "../../core/clock.ts";
import { failure, type Asked, type Resolution } from "../../core/forward/resolution.ts";
import {
  afterAnswer,
  afterFailure,
  hedgeMs,
  orderUpstreams,
  retryMs,
  type UpstreamHealth,
} from "../../core/forward/upstream-order.ts";
import type { Logger } from "../../observe/log.ts";
import { formatUpstream, type Attempt, type Upstream } from "./upstream.ts";

/** Programs wait 5 s for an answer. */
const DEADLINE_MS = 4600;
/** How long a question waits before it is asked whether the upstream is there at all. */
const SUSPECT_MS = 1000;
/** How long that may take, connecting included. */
const PROBE_MS = 2000;
/** RFC 8914: "Network Error", none of the upstreams can be reached. */
const NETWORK_ERROR = 23;
const PROBE: Asked = {
  ...{ name: ROOT_NAME, type: TYPE.NS, dnssecOk: false, checkingDisabled: false },
};

/** How an upstream is, for people and scripts. */
export interface UpstreamState {
  /** As the configuration names it. */
  readonly upstream: string;
  readonly reached: boolean;
  /** Why it is not reached; null when it is. */
  readonly reason: string | null;
  /** Since when it is not reached, in milliseconds since 1970. */
  readonly sinceMs: number | null;
  readonly roundTripMs: number | null;
  /** Questions, those that only looked for it included. */
  readonly asked: number;
  /** Of these without an answer. */
  readonly failed: number;
}

/** "refused": upstreams are there and have no answer. */
export interface GroupAnswer {
  readonly kind: "resolved" | "refused" | "unreachable";
  readonly resolution: Resolution;
}

const UNREACHABLE: GroupAnswer = {
  kind: "unreachable",
  resolution: failure(RCODE.SERVFAIL, NETWORK_ERROR),
};

interface Member {
  readonly upstream: Upstream;
  /** End the waiting of questions when it is found to be gone. */
  readonly waiting: Set<(attempt: Attempt) => void>;
  health: UpstreamHealth;
  heardAtMs: number;
  asked: number;
  failed: number;
  reason: string | null;
  sinceMs: number | null;
  cancelRetry: () => void;
  /** Ends when it is known whether it is there. */
  probing: Promise<void>;
}

export class UpstreamGroup {
  readonly #members: readonly Member[];
  readonly #clock: Clock;
  readonly #log: Logger;
  #closed = false;

  constructor(upstreams: readonly Upstream[], clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
    this.#members = upstreams.map((upstream) => ({
      upstream,
      waiting: new Set(),
      health: {
        encrypted: upstream.place.kind === "tls",
        ...{ roundTripMs: undefined, measuredAtMs: 0, suspected: false, failures: 0 },
      },
      ...{ heardAtMs: -Infinity, asked: 0, failed: 0, reason: null, sinceMs: null },
      cancelRetry: () => {},
      probing: Promise.resolve(),
    }));
  }

  states(): readonly UpstreamState[] {
    return this.#members.map(({ upstream, health, asked, failed, reason, sinceMs }) => ({
      upstream: formatUpstream(upstream.place),
      reached: health.failures === 0,
      ...{ reason, sinceMs, asked, failed },
      roundTripMs: health.roundTripMs === undefined ? null : Math.round(health.roundTripMs),
    }));
  }

  /** Never rejects; ends within 4.6 s, and at once when all are known to be gone. */
  async ask(asked: Asked): Promise<GroupAnswer> {
    const endMs = this.#clock.monotonicMs() + DEADLINE_MS;
    const tried = new Set<Member>();
    for (;;) {
      const nowMs = this.#clock.monotonicMs();
      const health = this.#members.map((member) => member.health);
      const [best = []] = orderUpstreams(health, nowMs);
      const members = best.flatMap((index) => this.#members[index] ?? []);
      const isNew = members.some((member) => !tried.has(member));
      if (!isNew || nowMs >= endMs) return UNREACHABLE;
      for (const member of members) tried.add(member);
      const answer = await this.#askInTurn(members, asked, endMs);
      // A plain upstream is no way around an encrypted one that is there and says no.
      if (answer.kind !== "unreachable") return answer;
    }
  }

  #askInTurn(members: readonly Member[], asked: Asked, endMs: number): Promise<GroupAnswer> {
    return new Promise((resolve) => {
      const left = [...members];
      let pending = 0;
      let refusal: Resolution | undefined;
      let cancelHedge = (): void => {};
      const finish = (answer: GroupAnswer): void => {
        cancelHedge();
        resolve(answer);
      };
      const take = (attempt: Attempt): void => {
        pending -= 1;
        if (attempt.kind === "answered" && attempt.reply.kind === "resolved") {
          return finish({ kind: "resolved", resolution: attempt.reply.resolution });
        }
        if (attempt.kind === "answered" && attempt.reply.kind === "failed") {
          refusal ??= failure(RCODE.SERVFAIL, attempt.reply.error);
        }
        start();
      };
      const start = (): void => {
        cancelHedge();
        const member = left.shift();
        const leftMs = endMs - this.#clock.monotonicMs();
        if (member !== undefined && leftMs > 0) {
          pending += 1;
          cancelHedge = this.#clock.after(hedgeMs(member.health), start);
          void this.#attempt(member, asked, leftMs).then(take);
        } else if (pending === 0) {
          finish(refusal === undefined ? UNREACHABLE : { kind: "refused", resolution: refusal });
        }
      };
      start();
    });
  }

  /** One question to one upstream; ends early when that is found to be gone. */
  async #attempt(member: Member, asked: Asked, timeoutMs: number): Promise<Attempt> {
    const startMs = this.#clock.monotonicMs();
    const cancel = this.#clock.after(SUSPECT_MS, () => this.#suspect(member, startMs));
    const attempt = await new Promise<Attempt>((resolve) => {
      const end = (ended: Attempt): void => {
        member.waiting.delete(end);
        resolve(ended);
      };
      member.waiting.add(end);
      void this.#send(member, asked, timeoutMs).then(end);
    });
    cancel();
    if (attempt.kind === "silent") {
      this.#suspect(member, startMs);
      const leftMs = startMs + timeoutMs - this.#clock.monotonicMs();
      // Whether others may be asked in its place hangs on whether it is there.
      if (leftMs > 0) await this.#within(member.probing, leftMs);
    }
    return attempt;
  }

  #within(ended: Promise<void>, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, resolve);
      void ended.then(() => {
        cancel();
        resolve();
      });
    });
  }

  async #send(member: Member, asked: Asked, timeoutMs: number): Promise<Attempt> {
    const startMs = this.#clock.monotonicMs();
    member.asked += 1;
    const attempt = await member.upstream.ask(asked, timeoutMs);
    const nowMs = this.#clock.monotonicMs();
    if (attempt.kind === "silent") member.failed += 1;
    else {
      if (member.health.failures > 0) {
        this.#log.info("upstream answers again", {
          upstream: formatUpstream(member.upstream.place),
        });
      }
      member.heardAtMs = nowMs;
      member.health = afterAnswer(member.health, nowMs - startMs, nowMs);
      [member.reason, member.sinceMs] = [null, null];
    }
    return attempt;
  }

  /** Finds out whether it is there, unless it has answered something since. */
  #suspect(member: Member, sinceMs: number): void {
    const { suspected, failures } = member.health;
    if (suspected || failures > 0 || member.heardAtMs >= sinceMs) return;
    member.health = { ...member.health, suspected: true };
    member.probing = this.#probe(member);
  }

  async #probe(member: Member): Promise<void> {
    if (this.#closed) return;
    const startMs = this.#clock.monotonicMs();
    const attempt = await this.#send(member, PROBE, PROBE_MS);
    // Some other question may have had its answer meanwhile.
    if (attempt.kind === "answered" || member.heardAtMs >= startMs || this.#closed) return;
    if (member.health.failures === 0) {
      const upstream = formatUpstream(member.upstream.place);
      this.#log.warn("upstream is not reached", { upstream, reason: attempt.reason });
      member.sinceMs = this.#clock.wallMs();
    }
    member.reason = attempt.reason;
    member.health = afterFailure(member.health);
    for (const end of [...member.waiting]) end(attempt);
    member.cancelRetry = this.#clock.after(retryMs(member.health), () => {
      void this.#probe(member);
    });
  }

  close(): void {
    this.#closed = true;
    for (const { upstream, cancelRetry } of this.#members) {
      cancelRetry();
      upstream.close();
    }
  }
}
