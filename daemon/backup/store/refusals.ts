/**
 * Sites that did not take what an own data set sent them: why, and until when they are left alone.
 *
 * What they refuse waits here. In memory alone: after a restart they are asked again.
 */
import type { Clock } from "../../core/clock.ts";
import type { SetId, SiteId } from "../../../protocol/ids.ts";
import type { Refusal } from "../../../protocol/shard-message.ts";
import type { WaitingFor } from "./waiting-owners.ts";

/** A site that has no room is asked again after this. */
const EXCLUDED_MS = 60 * 60_000;

interface Noted {
  readonly set: SetId;
  readonly site: SiteId;
  readonly why: WaitingFor;
  readonly untilMs: number;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #noted = new Map<string, Noted>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @param value - For `intake`: seconds until more may come.
   * @returns whether another site should be chosen for the group.
   */
  note(set: SetId, group: number, site: SiteId, why: Refusal, value: number): boolean {
    if (why !== "space" && why !== "cap" && why !== "owner" && why !== "intake") return false;
    const forMs = why === "intake" ? value * 1000 : EXCLUDED_MS;
    const untilMs = this.#clock.monotonicMs() + forMs;
    this.#noted.set(nameOf(set, group, site), { set, site, why, untilMs });
    return why !== "intake";
  }

  /** Whether the site is not to be chosen for the group for a while. */
  isExcluded(set: SetId, group: number, site: SiteId): boolean {
    const noted = this.#noted.get(nameOf(set, group, site));
    return noted !== undefined && noted.why !== "intake" && this.#isOpen(noted);
  }

  /** What keeps parts of a set waiting here, as sentences. */
  texts(set: SetId, nameOfSite: (site: SiteId) => string): string[] {
    const open = [...this.#noted.values()].filter((one) => one.set === set && this.#isOpen(one));
    return [...new Set(open.map((one) => this.#text(one, nameOfSite(one.site))))];
  }

  #text({ why, untilMs }: Noted, name: string): string {
    switch (why) {
      case "space":
        return `${name} has no room left.`;
      case "cap":
        return `${name} keeps as much of this owner as it lends to it; the rest waits here.`;
      case "owner":
        return `${name} lends nothing to this owner.`;
      case "intake": {
        const minutes = Math.ceil((untilMs - this.#clock.monotonicMs()) / 60_000);
        const wait = minutes < 120 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
        return `${name} has taken what this owner may send in a day; the rest waits here, ${wait} at least.`;
      }
    }
  }

  #isOpen({ untilMs }: Noted): boolean {
    return untilMs > this.#clock.monotonicMs();
  }
}

function nameOf(set: SetId, group: number, site: SiteId): string {
  return `${set}/${group}/${site}`;
}
