/** When the sites of a chain may be asked again: after pauses, and when their lines carry copies. */
import type { Clock } from "../../../core/clock.ts";
import type { Transport } from "../../../core/transport.ts";
import type { SiteId } from "../../../../protocol/ids.ts";

/** A site that takes nothing at this hour is asked again at the latest after so long. */
const LONGEST_LATER_MS = 24 * 3_600_000;
const SHORTEST_LATER_MS = 1000;
const FIRST_PAUSE_MS = 1000;
export const LONGEST_PAUSE_MS = 5 * 60_000;

export class HopPauses {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #transport: Pick<Transport, "opensInMs">;
  readonly #pauseMs = new Map<SiteId, number>();
  readonly #notBeforeMs = new Map<SiteId, number>();
  /** Until when the lines of sites carry no copies, as they say; monotonic. */
  readonly #laterUntilMs = new Map<SiteId, number>();
  /** Sites that have no room for the list. */
  readonly #full = new Set<SiteId>();

  constructor(clock: Pick<Clock, "monotonicMs">, transport: Pick<Transport, "opensInMs">) {
    this.#clock = clock;
    this.#transport = transport;
  }

  /** Ends all pauses but those of sites without room: asking makes none. */
  wake(): void {
    for (const site of this.#notBeforeMs.keys()) {
      if (!this.#full.has(site)) this.#notBeforeMs.delete(site);
    }
  }

  isReady(site: SiteId): boolean {
    const nowMs = this.#clock.monotonicMs();
    return (this.#notBeforeMs.get(site) ?? 0) <= nowMs && this.closedMs(site) === 0;
  }

  /** Whether the line of a site carries no copies at this hour, as it has said. */
  isLater(site: SiteId): boolean {
    return (this.#laterUntilMs.get(site) ?? 0) > this.#clock.monotonicMs();
  }

  /** How long our line to a site, or its own, carries no copies yet, in ms; 0 for now. */
  closedMs(site: SiteId): number {
    const laterMs = (this.#laterUntilMs.get(site) ?? 0) - this.#clock.monotonicMs();
    return Math.max(0, laterMs, this.#transport.opensInMs?.(site, "spread") ?? 0);
  }

  /** In how long pauses end, in ms; those that have ended are not among them. */
  leftMs(): readonly number[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#notBeforeMs.values()].map((atMs) => atMs - nowMs).filter((ms) => ms > 0);
  }

  noteLater(site: SiteId, seconds: number): void {
    const waitMs = Math.min(LONGEST_LATER_MS, Math.max(SHORTEST_LATER_MS, seconds * 1000));
    this.#laterUntilMs.set(site, this.#clock.monotonicMs() + waitMs);
  }

  noteRoom(site: SiteId, isFull: boolean): void {
    if (isFull) this.#full.add(site);
    else this.#full.delete(site);
  }

  /** Leaves a site alone for a while, longer each time nothing came of it. */
  rest(site: SiteId, advanced: boolean): void {
    const pauseMs = advanced ? FIRST_PAUSE_MS : (this.#pauseMs.get(site) ?? FIRST_PAUSE_MS);
    this.#pauseMs.set(site, Math.min(LONGEST_PAUSE_MS, pauseMs * 2));
    // Progress: ask again at once, most likely everything is there.
    this.#notBeforeMs.set(site, this.#clock.monotonicMs() + (advanced ? 0 : pauseMs));
  }
}
