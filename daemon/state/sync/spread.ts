/**
 * Makes what is new here known to the linked members.
 *
 * - What this site makes is pushed to all of them at once.
 * - What came by push and was new here is pushed on, to those not known to hold it; so it crosses a
 *   mesh of any shape, a step in some 100 ms. Longer items, which are rare, the others are told of.
 * - What came in a round is told by a short round with the others, so that a long-lost part of the
 *   mesh is fetched, not poured out.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { Clock } from "../../core/clock.ts";
import type { NewItem, Replica } from "../replica.ts";
import type { Exchanges } from "./exchanges.ts";
import type { Peer } from "./peer.ts";
import { sendPush, type PushItem } from "./push.ts";
import type { RecentItems } from "./recent-items.ts";
import type { Rounds } from "./rounds.ts";

/**
 * What came by push waits at most so long, for each link of this node, before it goes on: where all
 * are linked with all it often turns up from all sides, in a sparse mesh it has a long way to go.
 */
const PASS_ON_MS_OF_LINK = 2;
const PASS_ON_MAX_BYTES = 16 * 1024;
/** Bounds of the time until the others are told that a round brought news. */
const TELL_MS = [200, 1_000] as const;
/** The same for a long item that came by push: its way is long, so its steps are short. */
const TELL_PUSHED_MS = [0, 200] as const;

interface SpreadSetup {
  readonly replica: Replica;
  readonly clock: Clock;
  readonly exchanges: Exchanges;
  readonly rounds: Rounds;
  readonly recent: RecentItems;
  /** Those that are linked. */
  readonly peers: () => Iterable<Peer>;
  readonly onFailure: (what: string, peer: Peer, error: unknown) => void;
}

export class Spread {
  readonly #setup: SpreadSetup;
  /** Peers that a round brought something from which the others do not know of yet. */
  readonly #newsFrom = new Set<SiteId>();

  constructor(setup: SpreadSetup) {
    this.#setup = setup;
  }

  /** Something became durable here. */
  tell(item: NewItem): void {
    const recent = this.#setup.recent.of(item.bytes);
    recent.stored = true;
    const push: PushItem = { kind: item.kind, bytes: item.bytes, at: item.at, recent };
    if (item.from === undefined) this.#pushToAll(push);
    else if (!recent.pushed) this.#newsFrom.add(item.from);
    else if (item.bytes.length > PASS_ON_MAX_BYTES) this.#tellOthers(item.from, TELL_PUSHED_MS);
    else {
      const mostMs = PASS_ON_MS_OF_LINK * [...this.#setup.peers()].length;
      this.#setup.clock.after(this.#chance(0, mostMs), () => this.#pushToAll(push));
    }
  }

  /** A round with this peer is over: the others are told of what it brought, if anything. */
  roundEnded(peer: SiteId): void {
    if (this.#newsFrom.delete(peer)) this.#tellOthers(peer, TELL_MS);
  }

  #tellOthers(source: SiteId, [least, most]: readonly [number, number]): void {
    for (const { id } of this.#setup.peers()) {
      if (id !== source) this.#setup.rounds.request(id, this.#chance(least, most));
    }
  }

  #pushToAll(item: PushItem): void {
    for (const peer of this.#setup.peers()) {
      if (item.recent.holders.has(peer.id)) continue;
      // Who is behind by more than a queue sees so in the HELLO of our round, and comes for it.
      if (!peer.queue.add(item)) this.#setup.rounds.request(peer.id, 0);
      this.#push(peer);
    }
  }

  #push(peer: Peer): void {
    if (peer.pushRuns || peer.queue.isEmpty || !peer.linked) return;
    peer.pushRuns = true;
    // What is written in one go leaves in one frame.
    queueMicrotask(() => void this.#pushQueued(peer));
  }

  async #pushQueued(peer: Peer): Promise<void> {
    const { exchanges, replica, rounds, onFailure } = this.#setup;
    const next = (): PushItem[] => peer.queue.take(({ recent }) => recent.holders.has(peer.id));
    let items = next();
    try {
      if (items.length > 0) {
        await exchanges.hold(peer, "push", async (talk) => {
          for (; items.length > 0; items = next()) await sendPush(talk, replica, items);
          await talk.end();
        });
      }
    } catch (error) {
      onFailure("A push failed", peer, error);
      peer.queue.clear();
      rounds.request(peer.id, 0);
    }
    peer.pushRuns = false;
    this.#push(peer);
  }

  #chance(min: number, max: number): number {
    const [high = 0, low = 0] = this.#setup.clock.random(2);
    return min + ((high * 256 + low) / 65_536) * (max - min);
  }
}
