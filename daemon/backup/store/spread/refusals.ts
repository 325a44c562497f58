/**
 * Sites that did not take what an own data set sent them: why, and until when they are left alone.
 *
 * What they refuse waits here. In memory alone: after a restart they are asked again.
 */
import type { Clock } from "../../../core/clock.ts";
import type { SetId, SiteId } from "../../../../protocol/ids.ts";
import type { Refusal } from "../../../../protocol/messages/shard-message.ts";
import type { WaitingFor } from "./waiting-owners.ts";

/** A site that has no room is asked again after this. */
const EXCLUDED_MS = 60 * 60_000;
/** A line that carries copies in no hour of the day never does: another site is chosen. */
const NEVER_SECONDS = 86_400;

interface Noted {
  readonly set: SetId;
  readonly site: SiteId;
  readonly why: WaitingFor | "hours";
  /** Whether another site is chosen meanwhile. */
  readonly isExcluded: boolean;
  readonly untilMs: number;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #noted = new Map<string, Noted>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @param value - For `intake` and `hours`: seconds until more may come.
   * @returns whether another site should be chosen for the group.
   */
  note(set: SetId, group: number, site: SiteId, why: Refusal, value: number): boolean {
    const isLater = why === "intake" || why === "hours";
    if (!isLater && why !== "space" && why !== "cap" && why !== "owner") return false;
    const isExcluded = !isLater || (why === "hours" && value >= NEVER_SECONDS);
    const untilMs = this.#clock.monotonicMs() + (isLater ? value * 1000 : EXCLUDED_MS);
    this.#noted.set(nameOf(set, group, site), { set, site, why, isExcluded, untilMs });
    return isExcluded;
  }

  /** Whether the site is not to be chosen for the group for a while. */
  isExcluded(set: SetId, group: number, site: SiteId): boolean {
    const noted = this.#noted.get(nameOf(set, group, site));
    return noted !== undefined && noted.isExcluded && this.#isOpen(noted);
  }

  /** What keeps parts of a set waiting here, as sentences. */
  texts(set: SetId, nameOfSite: (site: SiteId) => string): string[] {
    const open = [...this.#noted.values()].filter((one) => one.set === set && this.#isOpen(one));
    return [...new Set(open.map((one) => this.#text(one, nameOfSite(one.site))))];
  }

  #text({ why, isExcluded, untilMs }: Noted, name: string): string {
    const minutes = Math.ceil((untilMs - this.#clock.monotonicMs()) / 60_000);
    const wait = minutes < 120 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
    switch (why) {
      case "hours":
        return isExcluded
          ? `${name} is on a line that carries no copies.`
          : `The line of ${name} carries no copies at this hour; it goes on in ${wait}.`;
      case "space":
        return `${name} has no room left.`;
      case "cap":
        return `${name} keeps as much of this owner as it lends to it; the rest waits here.`;
      case "owner":
        return `${name} lends nothing to this owner.`;
      case "intake":
        return `${name} has taken what this owner may send in a day; the rest waits here, ${wait} at least.`;
    }
  }

  #isOpen({ untilMs }: Noted): boolean {
    return untilMs > this.#clock.monotonicMs();
  }
}

function nameOf(set: SetId, group: number, site: SiteId): string {
  return `${set}/${group}/${site}`;
}
