/**
 * The links that are up, one for each pair of members.
 *
 * When both sides dial at once there are two connections, and both sides must keep the same one
 * without asking: that of the member with the lower key. A connection that comes later, or from
 * another run of the peer, means that the peer has lost the earlier one, so it replaces it.
 */
import type { Connection } from "@libp2p/interface";
import type { SiteId } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import type { LinkListener } from "../core/transport.ts";

/** Two hellos within this time are one simultaneous dial. */
const SIMULTANEOUS_MS = 10_000;
/** A connection that lost may finish what it carries for so long. */
const FINISH_MS = 30_000;
const LOOK_EVERY_MS = 500;

export interface Link {
  readonly peer: SiteId;
  readonly connection: Connection;
  /** From the peer's hello: another one is another run of the peer. */
  readonly instance: string;
  /** Monotonic time of the hello. */
  readonly sinceMs: number;
}

/** Whether the earlier of two links to one peer stays. Both sides come to the same answer. */
export function earlierStays(self: SiteId, earlier: Link, later: Link): boolean {
  if (earlier.instance !== later.instance) return false;
  if (later.sinceMs - earlier.sinceMs > SIMULTANEOUS_MS) return false;
  if (earlier.connection.direction === later.connection.direction) return true;
  const dialledHere = earlier.connection.direction === "outbound";
  return dialledHere === self < earlier.peer;
}

export class LinkTable {
  readonly #self: SiteId;
  readonly #clock: Clock;
  readonly #current = new Map<SiteId, Link>();
  /** Links that lost to another and finish what they carry. */
  readonly #finishing = new Set<Link>();
  readonly #listeners = new Set<LinkListener>();

  constructor(self: SiteId, clock: Clock) {
    this.#self = self;
    this.#clock = clock;
  }

  peers(): readonly SiteId[] {
    return [...this.#current.keys()];
  }

  links(): readonly Link[] {
    return [...this.#current.values()];
  }

  get(peer: SiteId): Link | undefined {
    return this.#current.get(peer);
  }

  /** Whether a hello has passed on this connection. */
  has(connection: Connection): boolean {
    const isIt = (link: Link): boolean => link.connection === connection;
    return this.links().some(isIt) || [...this.#finishing].some(isIt);
  }

  onLink(listener: LinkListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A hello has passed. */
  up(link: Link): void {
    const earlier = this.#current.get(link.peer);
    if (earlier === undefined) {
      this.#current.set(link.peer, link);
      this.#tell(link.peer, true);
      return;
    }
    if (earlierStays(this.#self, earlier, link)) {
      this.#finish(link);
      return;
    }
    this.#current.set(link.peer, link);
    this.#finish(earlier);
    // In a simultaneous dial the peer was there all the time; otherwise it has come back.
    if (earlier.instance === link.instance && link.sinceMs - earlier.sinceMs <= SIMULTANEOUS_MS) {
      return;
    }
    this.#tell(link.peer, false);
    this.#tell(link.peer, true);
  }

  /** A connection has closed. */
  down(connection: Connection): void {
    for (const link of this.#finishing) {
      if (link.connection === connection) this.#finishing.delete(link);
    }
    const link = this.links().find((each) => each.connection === connection);
    if (link === undefined) return;
    const other = [...this.#finishing].find((each) => each.peer === link.peer);
    if (other === undefined) {
      this.#current.delete(link.peer);
      this.#tell(link.peer, false);
    } else {
      this.#finishing.delete(other);
      this.#current.set(link.peer, other);
    }
  }

  #tell(peer: SiteId, isUp: boolean): void {
    for (const listener of this.#listeners) listener(peer, isUp);
  }

  #finish(link: Link): void {
    this.#finishing.add(link);
    const untilMs = this.#clock.monotonicMs() + FINISH_MS;
    const look = (): void => {
      if (!this.#finishing.has(link)) return;
      if (link.connection.streams.length > 0 && this.#clock.monotonicMs() < untilMs) {
        this.#clock.after(LOOK_EVERY_MS, look);
        return;
      }
      this.#finishing.delete(link);
      link.connection.abort(new Error("another link to this member is kept"));
    };
    // Both sides get time to see their hello through before one of them closes.
    this.#clock.after(LOOK_EVERY_MS, look);
  }
}
