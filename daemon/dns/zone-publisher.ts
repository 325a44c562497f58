/**
 * Keeps the zones that are served in step with the state.
 *
 * The first change is published at once, further ones are gathered for a while that grows with
 * the work: a flood of changes costs a small share of the time, a single change no delay.
 */
import { nameKey } from "../../protocol/dns/dns-name.ts";
import type { Clock } from "../core/clock.ts";
import type { Zone } from "../core/zones/zone.ts";
import { steeringOf } from "../core/zones/steering-state.ts";
import { ZoneBuilder, type ZoneState } from "../core/zones/zone-build.ts";
import type { ZoneDelta } from "../core/zones/zone-delta.ts";
import type { Logger } from "../observe/log.ts";
import { serialsOf, type ZoneSource } from "./zone-source.ts";
import { ZoneTree } from "./zone-tree.ts";

/** Building takes at most one part in so many of the time. */
const REST_FACTOR = 8;
/** A change of another node comes in several entries that follow one another at once. */
const FIRST_GATHER_MS = 5;
const MIN_GATHER_MS = 100;
const MAX_GATHER_MS = 2000;

type Publish = (deltas: readonly ZoneDelta[]) => void;

export class ZonePublisher {
  readonly #source: ZoneSource;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #publish: Publish;
  readonly #unsubscribe: () => void;
  readonly #tree = new ZoneTree();
  /** The last change, while the tree lacks it. */
  #ungrown: readonly ZoneDelta[] = [];
  #builder = new ZoneBuilder();
  #zones: readonly Zone[] = [];
  #nextMs = 0;
  #cancel: (() => void) | undefined;

  /** @param publish - Called with each change, the first one before this returns. */
  constructor(source: ZoneSource, clock: Clock, log: Logger, publish: Publish) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
    this.#publish = publish;
    this.#unsubscribe = source.onChange(() => this.#changed());
    this.reload();
  }

  get zones(): readonly Zone[] {
    return this.#zones;
  }

  /** Always the same one. It takes in a change when somebody asks for it, or before the next. */
  get tree(): ZoneTree {
    const ungrown = this.#ungrown;
    this.#ungrown = [];
    this.#tree.apply(ungrown);
    return this.#tree;
  }

  /** Whether changes of the state are known that are not served yet. */
  get isBehind(): boolean {
    return this.#cancel !== undefined;
  }

  /** Publishes now; what was edited here is served when this returns. */
  reload(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const started = this.#clock.monotonicMs();
    const inventory = {
      view: this.#source.view(),
      ownSite: this.#source.siteId,
      sites: [...this.#source.authority().sites.values()],
    };
    const state = {
      ...inventory,
      ...serialsOf(this.#source),
      steering: steeringOf(inventory),
    };
    const deltas = this.#build(state);
    this.#tree.apply(this.#ungrown);
    this.#ungrown = deltas;
    this.#publish(deltas);
    const tookMs = this.#clock.monotonicMs() - started;
    const restMs = Math.min(Math.max(tookMs * REST_FACTOR, MIN_GATHER_MS), MAX_GATHER_MS);
    this.#nextMs = this.#clock.monotonicMs() + restMs;
  }

  #build(state: ZoneState): readonly ZoneDelta[] {
    const before = this.#zones;
    const builder = this.#builder;
    // One that has thrown is not asked again: the next builds everything anew.
    this.#builder = new ZoneBuilder();
    const deltas = builder.update(state);
    this.#builder = builder;
    this.#zones = builder.zones;
    const told = new Set(deltas.map(({ apex }) => nameKey(apex)));
    const left = new Set(this.#zones.map(({ apex }) => nameKey(apex)));
    const lost = before.filter(({ apex }) => !left.has(nameKey(apex)) && !told.has(nameKey(apex)));
    return [...deltas, ...lost.map(({ apex }) => ({ kind: "gone", apex }) as const)];
  }

  #changed(): void {
    if (this.#cancel !== undefined) return;
    const waitMs = Math.max(FIRST_GATHER_MS, this.#nextMs - this.#clock.monotonicMs());
    this.#cancel = this.#clock.after(waitMs, () => {
      try {
        this.reload();
      } catch (error) {
        // The last version goes on being served; a zone that cannot be built must not stop it.
        this.#log.error("zones cannot be built", { error: String(error) });
      }
    });
  }

  stop(): void {
    this.#unsubscribe();
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
