/**
 * What this node knows of the others from their presence.
 *
 * A link is proof of life. A word that came by way of another site is proof only if it echoes a
 * counter that this node itself sent in the last five minutes; otherwise somebody may have kept it,
 * and it is just the last that was heard. Ages are of this node's monotonic clock, so a wrong wall
 * clock anywhere changes nothing.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import {
  echoPrefix,
  MAX_ECHOES,
  type Echo,
  type Presence,
} from "../../../protocol/logs/presence.ts";

/** An echo of an older counter proves nothing. */
const ECHO_LIFE_MS = 5 * 60_000;
/** A site without a link counts as up for three words and some jitter after its last proof of life. */
const UP_FOR_MS = 120_000;

export interface SeenSite {
  readonly siteId: SiteId;
  readonly state: "up" | "unreachable";
  /** Since the last proof of life: 0 while linked; undefined when there was none since our start. */
  readonly ageMs: number | undefined;
  /** From its newest word; undefined before the first. */
  readonly word: Presence | undefined;
}

interface Entry {
  word: Presence | undefined;
  frame: Uint8Array | undefined;
  heardAtMs: number;
  direct: boolean;
  aliveAtMs: number | undefined;
}

export class PresenceTable {
  readonly #self: SiteId;
  readonly #entries = new Map<SiteId, Entry>();
  readonly #linked = new Set<SiteId>();
  /** Our own counters of the last five minutes and when they were sent. */
  #sent: { readonly counter: number; readonly atMs: number }[] = [];

  constructor(self: SiteId) {
    this.#self = self;
  }

  /** A link came or went. */
  link(site: SiteId, up: boolean, nowMs: number): void {
    if (up) this.#linked.add(site);
    else this.#linked.delete(site);
    this.#entry(site).aliveAtMs = nowMs;
  }

  /** Our own word with this counter went out. */
  noteSent(counter: number, nowMs: number): void {
    this.#sent = this.#sent.filter(({ atMs }) => nowMs - atMs <= ECHO_LIFE_MS);
    this.#sent.push({ counter, atMs: nowMs });
  }

  /**
   * Takes a sound word of a member.
   *
   * @param frame - As it came, to be passed on.
   * @param from - The linked member that sent it.
   * @returns whether it is newer than what was known.
   */
  hear(word: Presence, frame: Uint8Array, from: SiteId, nowMs: number): boolean {
    const direct = word.site === from;
    if (word.site === this.#self || (!direct && this.#linked.has(word.site))) return false;
    const entry = this.#entry(word.site);
    const alive = direct || this.#echoesUs(word, nowMs);
    const known = entry.word;
    const newer =
      known === undefined || (known.bootId === word.bootId ? word.counter > known.counter : alive);
    if (!newer) return false;
    entry.word = word;
    entry.frame = frame;
    entry.heardAtMs = nowMs;
    entry.direct = direct;
    if (alive) entry.aliveAtMs = nowMs;
    return true;
  }

  /** What our next word says about whom we heard, latest first. */
  echoes(nowMs: number): Echo[] {
    return [...this.#entries.values()]
      .filter(({ heardAtMs }) => nowMs - heardAtMs <= ECHO_LIFE_MS)
      .toSorted((a, b) => b.heardAtMs - a.heardAtMs)
      .slice(0, MAX_ECHOES)
      .flatMap(({ word, direct }) =>
        word === undefined
          ? []
          : [{ sitePrefix: echoPrefix(word.site), counter: word.counter, direct }],
      );
  }

  /**
   * Words to pass on to a linked member: of the members that are linked to us and, by its own last
   * word, not to it. None while everybody is linked to everybody.
   */
  framesFor(peer: SiteId): Uint8Array[] {
    const theirs = this.#entries.get(peer)?.word;
    if (theirs === undefined) return [];
    const known = new Set(theirs.heard.filter(({ direct }) => direct).map((e) => e.sitePrefix));
    return [...this.#linked].flatMap((site) => {
      const { frame } = this.#entry(site);
      const needed = site !== peer && !known.has(echoPrefix(site));
      return needed && frame !== undefined ? [frame] : [];
    });
  }

  /** Everything known about these members, in their order. */
  seen(members: readonly SiteId[], nowMs: number): SeenSite[] {
    return members
      .filter((siteId) => siteId !== this.#self)
      .map((siteId) => {
        const entry = this.#entries.get(siteId);
        const linked = this.#linked.has(siteId);
        const aliveAtMs = linked ? nowMs : entry?.aliveAtMs;
        const ageMs = aliveAtMs === undefined ? undefined : nowMs - aliveAtMs;
        const up = linked || (ageMs !== undefined && entry?.direct === false && ageMs <= UP_FOR_MS);
        return { siteId, state: up ? "up" : "unreachable", ageMs, word: entry?.word };
      });
  }

  /** Drops all but these, so that a site that left is forgotten. */
  keep(members: readonly SiteId[]): void {
    const kept = new Set(members);
    for (const site of this.#entries.keys()) {
      if (!kept.has(site) && !this.#linked.has(site)) this.#entries.delete(site);
    }
  }

  #echoesUs(word: Presence, nowMs: number): boolean {
    const prefix = echoPrefix(this.#self);
    const echoed = word.heard.filter(({ sitePrefix }) => sitePrefix === prefix);
    // Two sites share our prefix: neither of them is known to be us.
    if (echoed.length !== 1) return false;
    return this.#sent.some(
      ({ counter, atMs }) => counter === echoed[0]?.counter && nowMs - atMs <= ECHO_LIFE_MS,
    );
  }

  #entry(site: SiteId): Entry {
    const known = this.#entries.get(site);
    if (known !== undefined) return known;
    const entry: Entry = {
      word: undefined,
      frame: undefined,
      heardAtMs: -Infinity,
      direct: false,
      aliveAtMs: undefined,
    };
    this.#entries.set(site, entry);
    return entry;
  }
}
