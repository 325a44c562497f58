/**
 * Answers questions from the cache, and from upstreams when it has none.
 *
 * Equal questions at one time go out once. When the line is cut, what has expired is told for a while
 * instead of nothing; names that are asked for often are renewed before they expire.
 *
 * Source: RFC 8767 (stale answers), RFC 9520 (failures are kept, too).
 */
import { RCODE } from "../../../protocol/dns/dns-code.ts";
import { isWithin, type DnsName } from "../../../protocol/dns/dns-name.ts";
import type { Clock } from "../../core/clock.ts";
import { AnswerCache, type CacheEntry, type CacheLimits } from "../../core/forward/answer-cache.ts";
import { withoutPrivate } from "../../core/forward/private-addresses.ts";
import {
  aged,
  askedKey,
  failure,
  stale,
  type Asked,
  type Resolution,
} from "../../core/forward/resolution.ts";
import type { GroupAnswer, UpstreamGroup, UpstreamState } from "./upstream-group.ts";

/** RFC 8767 section 5, the client response timer: the value that it recommends. */
const CLIENT_MS = 1800;
/** RFC 8767 section 5, the failure recheck timer: no more often than this. */
const RECHECK_MS = 30_000;
/** RFC 9520 section 3.2: failures are kept for at least 1 s, at first for up to 5 s. */
const [UNREACHABLE_MS, REFUSED_MS] = [1000, 5000] as const;
/** An entry with less than this part of its time left is renewed when it is asked for. */
const PREFETCH_SHARE = 0.1;
/** Asked for less often than this, it need not be. */
const PREFETCH_USES = 3;
/** Questions that are out at once; each holds a socket or an id. */
const MAX_RUNNING = 512;
/** RFC 8914: "Blocked", by what the one who runs this server wants. */
const BLOCKED = 15;
const FAILURES_KEPT = 1024;

export interface ForwardZone {
  readonly apex: DnsName;
  readonly upstreams: UpstreamGroup;
}

export interface ResolverOptions {
  /** Asked for everything that no zone names others for. */
  readonly upstreams: UpstreamGroup;
  readonly zones: readonly ForwardZone[];
  /** Names at and below which private addresses are right. */
  readonly allowPrivate: readonly DnsName[];
  readonly cache: CacheLimits;
  readonly clock: Clock;
}

/** Since the start. */
export interface ResolverCounts {
  readonly cached: number;
  readonly stale: number;
  readonly forwarded: number;
  /** Got no answer at all. */
  readonly failed: number;
  /** Lost addresses that lead inside. */
  readonly blocked: number;
  readonly entries: number;
  readonly cacheBytes: number;
}

interface Failed {
  readonly resolution: Resolution;
  readonly untilMs: number;
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #cache: AnswerCache;
  readonly #clock: Clock;
  readonly #running = new Map<string, Promise<GroupAnswer>>();
  /** Questions without an answer, and until when they are not asked again. */
  readonly #failed = new Map<string, Failed>();
  readonly #counts = { cached: 0, stale: 0, forwarded: 0, failed: 0, blocked: 0 };

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#cache = new AnswerCache(options.cache);
  }

  counts(): ResolverCounts {
    return { ...this.#counts, entries: this.#cache.size, cacheBytes: this.#cache.sizeBytes };
  }

  states(): readonly UpstreamState[] {
    return this.#groups().flatMap((group) => group.states());
  }

  /** The zone that the configuration sends elsewhere and that holds the name. */
  zoneOf(name: DnsName): ForwardZone | undefined {
    return this.#options.zones
      .filter(({ apex }) => isWithin(name, apex))
      .toSorted((a, b) => b.apex.length - a.apex.length)[0];
  }

  /** Whether a private address is right in answers to questions for the name. */
  mayBePrivate(name: DnsName): boolean {
    if (this.zoneOf(name) !== undefined) return true;
    return this.#options.allowPrivate.some((apex) => isWithin(name, apex));
  }

  /** What is kept and has not expired: nobody has to be asked. */
  kept(asked: Asked): Resolution | undefined {
    const key = askedKey(asked);
    const nowMs = this.#clock.monotonicMs();
    const entry = this.#cache.find(key, nowMs);
    if (entry !== undefined && nowMs < entry.endsAtMs) {
      this.#counts.cached += 1;
      this.#renew(key, asked, entry, nowMs);
      return agedEntry(entry, nowMs);
    }
    const failed = this.#failed.get(key);
    if (failed === undefined || nowMs >= failed.untilMs) return undefined;
    this.#counts.cached += 1;
    if (entry === undefined) return failed.resolution;
    this.#counts.stale += 1;
    return stale(entry.resolution);
  }

  /** Never rejects; ends within some seconds. */
  async resolve(asked: Asked): Promise<Resolution> {
    const kept = this.kept(asked);
    if (kept !== undefined) return kept;
    const key = askedKey(asked);
    const entry = this.#cache.find(key, this.#clock.monotonicMs());
    const running = this.#run(key, asked);
    const answer = await (entry === undefined ? running : this.#withinTime(running));
    if (answer?.kind === "resolved") return answer.resolution;
    if (entry !== undefined) {
      this.#counts.stale += 1;
      return stale(entry.resolution);
    }
    this.#counts.failed += 1;
    return answer?.resolution ?? failure(RCODE.SERVFAIL, undefined);
  }

  #withinTime(running: Promise<GroupAnswer> | undefined): Promise<GroupAnswer | undefined> {
    if (running === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const cancel = this.#clock.after(CLIENT_MS, () => resolve(undefined));
      void running.then((answer) => {
        cancel();
        resolve(answer);
      });
    });
  }

  #renew(key: string, asked: Asked, entry: CacheEntry, nowMs: number): void {
    const leftMs = entry.endsAtMs - nowMs;
    const isLate = leftMs < (entry.endsAtMs - entry.storedAtMs) * PREFETCH_SHARE;
    const failed = this.#failed.get(key);
    const mayAsk = failed === undefined || nowMs >= failed.untilMs;
    if (isLate && mayAsk && entry.uses >= PREFETCH_USES) void this.#run(key, asked);
  }

  /** Undefined: too many questions are out. */
  #run(key: string, asked: Asked): Promise<GroupAnswer> | undefined {
    const known = this.#running.get(key);
    if (known !== undefined) return known;
    if (this.#running.size >= MAX_RUNNING) return undefined;
    this.#counts.forwarded += 1;
    const running = this.#ask(key, asked).finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }

  async #ask(key: string, asked: Asked): Promise<GroupAnswer> {
    const group = this.zoneOf(asked.name)?.upstreams ?? this.#options.upstreams;
    const answer = await group.ask(asked);
    const nowMs = this.#clock.monotonicMs();
    if (answer.kind === "resolved") {
      const resolution = this.guarded(asked.name, answer.resolution);
      this.#failed.delete(key);
      this.#cache.keep(key, asked.type, resolution, nowMs);
      return { kind: "resolved", resolution };
    }
    const refusedMs = this.#cache.find(key, nowMs) === undefined ? REFUSED_MS : RECHECK_MS;
    const keptMs = answer.kind === "refused" ? refusedMs : UNREACHABLE_MS;
    this.#failed.delete(key);
    const [oldest] = this.#failed.keys();
    if (this.#failed.size >= FAILURES_KEPT && oldest !== undefined) this.#failed.delete(oldest);
    this.#failed.set(key, { resolution: answer.resolution, untilMs: nowMs + keptMs });
    return answer;
  }

  /** The same without addresses that lead inside, unless the name may have them. */
  guarded(name: DnsName, resolution: Resolution): Resolution {
    const answers = withoutPrivate(resolution.answers);
    if (answers === resolution.answers || this.mayBePrivate(name)) return resolution;
    this.#counts.blocked += 1;
    return { ...resolution, answers, authenticated: false, error: BLOCKED };
  }

  #groups(): readonly UpstreamGroup[] {
    return [this.#options.upstreams, ...this.#options.zones.map(({ upstreams }) => upstreams)];
  }

  close(): void {
    for (const group of this.#groups()) group.close();
  }
}

function agedEntry({ resolution, storedAtMs }: CacheEntry, nowMs: number): Resolution {
  return aged(resolution, Math.floor((nowMs - storedAtMs) / 1000));
}
