/**
 * Keeps trying to reach the members to be linked with: all of the roster, or in a mesh of more than
 * 50 sites those that core/overlay.ts names and our partners. Who stays away there is replaced by
 * those that would be named without it, so that a lasting gap in the mesh closes.
 *
 * Ours, because libp2p gives a peer up after 31 s and forgets its addresses after an hour. Every
 * try has an end; the wait between tries grows to 8 s, or to 5 min in a mesh of more than 50
 * sites, and starts anew with a lost link, a changed address or a changed membership.
 */
import type { SiteId } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import { FULLY_LINKED_SITES, neighboursOf } from "../core/logs/overlay.ts";
import type { Logger } from "../observe/log.ts";
import type { RosterEntry } from "./membership.ts";

const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 8_000;
const MAX_WAIT_OF_MANY_MS = 5 * 60_000;
/** So many tries in vain take about a minute. */
const TRIES_UNTIL_AWAY = 6;
/** A site that reaches nobody must not end with trying everybody. */
const MAX_AWAY = 24;
const MAX_PARTNERS = 64;
/** The member with the higher key dials a little later, so that pairs seldom dial at once. */
const COURTESY_MS = 400;
/** libp2p tries addresses one after another, 6 s each; a try shall not lose its time on dead ones. */
const ADDRESSES_PER_TRY = 3;

export interface DialPort {
  isLinked(site: SiteId): boolean;
  /** One try. Rejects when none of the addresses led to a link. */
  dial(site: SiteId, addresses: readonly string[], attempt: number): Promise<void>;
}

interface Target {
  addresses: readonly string[];
  attempt: number;
  dialling: boolean;
  cancel: () => void;
}

/**
 * The wait before try number `attempt` (1 is the first repetition), in milliseconds.
 *
 * @param chance - Evenly distributed, 0 to 1: spreads the tries of many sites.
 */
export function waitMs(attempt: number, sites: number, chance: number): number {
  const longest = sites > FULLY_LINKED_SITES ? MAX_WAIT_OF_MANY_MS : MAX_WAIT_MS;
  const wait = Math.min(longest, FIRST_WAIT_MS * 2 ** Math.min(20, attempt - 1));
  return wait * (0.5 + chance / 2);
}

/** The addresses for one try: few, and others the next time. */
export function addressesOf(addresses: readonly string[], attempt: number): readonly string[] {
  if (addresses.length <= ADDRESSES_PER_TRY) return addresses;
  const start = (attempt * ADDRESSES_PER_TRY) % addresses.length;
  return [...addresses.slice(start), ...addresses.slice(0, start)].slice(0, ADDRESSES_PER_TRY);
}

export class Dialer {
  readonly #self: SiteId;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #port: DialPort;
  readonly #targets = new Map<SiteId, Target>();
  #roster: readonly RosterEntry[] = [];
  /** Of a large mesh: members that were to be linked and did not answer for long. */
  readonly #away = new Set<SiteId>();
  #stopped = false;

  constructor(self: SiteId, clock: Clock, log: Logger, port: DialPort) {
    this.#self = self;
    this.#clock = clock;
    this.#log = log;
    this.#port = port;
  }

  setRoster(entries: readonly RosterEntry[]): void {
    this.#roster = entries.filter(({ siteId }) => siteId !== this.#self);
    this.#choose();
  }

  #choose(): void {
    const left = new Set(this.#targets.keys());
    for (const { siteId, addresses } of this.#chosen()) {
      left.delete(siteId);
      const known = this.#targets.get(siteId);
      if (known === undefined) {
        this.#targets.set(siteId, { addresses, attempt: 0, dialling: false, cancel: () => {} });
        this.#soon(siteId);
      } else if (known.addresses.join() !== addresses.join()) {
        known.addresses = addresses;
        this.#soon(siteId);
      }
    }
    for (const siteId of left) {
      this.#targets.get(siteId)?.cancel();
      this.#targets.delete(siteId);
    }
  }

  #chosen(): readonly RosterEntry[] {
    const members = this.#roster.map(({ siteId }) => siteId);
    const present = members.filter((site) => !this.#away.has(site));
    const partners = this.#roster.filter(({ isPartner }) => isPartner === true);
    const chosen = new Set([
      ...neighboursOf(this.#self, members),
      ...(this.#away.size > 0 ? neighboursOf(this.#self, present) : []),
      ...partners.slice(0, MAX_PARTNERS).map(({ siteId }) => siteId),
    ]);
    return this.#roster.filter(({ siteId }) => chosen.has(siteId));
  }

  /** Tries everybody who is not linked anew, without waiting. */
  wake(): void {
    for (const siteId of this.#targets.keys()) this.#soon(siteId);
  }

  /** A link has come or gone. */
  linkChanged(siteId: SiteId, isUp: boolean): void {
    if (isUp && this.#away.delete(siteId)) this.#choose();
    const target = this.#targets.get(siteId);
    if (target === undefined) return;
    if (isUp) {
      target.cancel();
      target.attempt = 0;
    } else this.#soon(siteId);
  }

  stop(): void {
    this.#stopped = true;
    for (const target of this.#targets.values()) target.cancel();
    this.#targets.clear();
  }

  #soon(siteId: SiteId): void {
    const target = this.#targets.get(siteId);
    if (target === undefined) return;
    target.attempt = 0;
    this.#plan(siteId, target, this.#self < siteId ? 0 : COURTESY_MS);
  }

  #plan(siteId: SiteId, target: Target, delayMs: number): void {
    target.cancel();
    if (this.#stopped) return;
    target.cancel = this.#clock.after(delayMs, () => void this.#try(siteId, target));
  }

  async #try(siteId: SiteId, target: Target): Promise<void> {
    if (this.#targets.get(siteId) !== target || this.#port.isLinked(siteId)) return;
    if (target.dialling) return;
    target.dialling = true;
    const attempt = target.attempt;
    try {
      await this.#port.dial(siteId, addressesOf(target.addresses, attempt), attempt);
    } catch (error) {
      this.#log.debug("a member was not reached", { site: siteId, attempt, why: String(error) });
    } finally {
      target.dialling = false;
    }
    if (this.#targets.get(siteId) !== target || this.#port.isLinked(siteId)) return;
    target.attempt += 1;
    if (target.attempt === TRIES_UNTIL_AWAY && this.#roster.length >= FULLY_LINKED_SITES) {
      if (this.#away.size < MAX_AWAY) this.#away.add(siteId);
      this.#choose();
      if (this.#targets.get(siteId) !== target) return;
    }
    const chance = (this.#clock.random(1)[0] ?? 0) / 255;
    this.#plan(siteId, target, waitMs(target.attempt, this.#roster.length + 1, chance));
  }
}
