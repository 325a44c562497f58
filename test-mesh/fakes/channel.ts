/**
 * One channel of the fake network: two ends, frames in order, delays, a window.
 *
 * A frame arrives after the delay that the network draws for it and never before an earlier one of
 * its channel. What lies unread at the other end counts against the window, so a slow reader holds
 * up the sender as a real stream does.
 */
import type { Clock } from "../../daemon/core/clock.ts";
import { MAX_FRAME_BYTES, type Channel } from "../../daemon/core/transport.ts";
import { PleachError } from "../../protocol/error.ts";
import type { SiteId } from "../../protocol/ids.ts";

/** Bytes that may be on the way or unread before `send` waits: more than one largest frame. */
const WINDOW_BYTES = 512 * 1024;
/** As the seam says: a peer that takes nothing for so long is gone. */
const SEND_TIMEOUT_MS = 60_000;

export class FakeTransportError extends PleachError<
  "E-FAKE-FRAME" | "E-FAKE-TIMEOUT" | "E-FAKE-GONE" | "E-FAKE-LINK" | "E-FAKE-PROTOCOL"
> {}

/** What an end needs of the network to send over. */
export interface Wire {
  readonly clock: Clock;
  /** How long the next frame takes, in milliseconds. */
  delayMs(): number;
  /** Whether what this end sends stands still now; it arrives when that ends. */
  frozen(): boolean;
  /** Calls back when the standstill ends. */
  onThaw(callback: () => void): void;
  /** Nothing will happen on this end any more. */
  forget(end: FakeChannel): void;
}

interface Waiter {
  readonly resolve: (frame: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
  readonly cancelTimeout: () => void;
}

type Parcel = Uint8Array | "end";

export class FakeChannel implements Channel {
  readonly peer: SiteId;
  readonly #wire: Wire;
  readonly #inbox: Parcel[] = [];
  /** Sent by this end and not yet arrived, in order. */
  readonly #underWay: Parcel[] = [];
  readonly #room: (() => void)[] = [];
  #other: FakeChannel | undefined;
  #waiter: Waiter | undefined;
  #unreadBytes = 0;
  #lastArrivalMs = 0;
  #ended = false;
  #readEnd = false;
  #gone: FakeTransportError | undefined;
  readonly #failed: ((error: FakeTransportError) => void)[] = [];

  private constructor(peer: SiteId, wire: Wire) {
    this.peer = peer;
    this.#wire = wire;
  }

  /** Two joined ends: the one that `a` holds and sends over `wire`, then the one that `b` holds. */
  static pair(
    a: SiteId,
    b: SiteId,
    wire: Wire,
    wireBack = wire,
  ): readonly [FakeChannel, FakeChannel] {
    const [atA, atB] = [new FakeChannel(b, wire), new FakeChannel(a, wireBack)];
    atA.#other = atB;
    atB.#other = atA;
    return [atA, atB];
  }

  async send(frame: Uint8Array): Promise<void> {
    if (frame.length > MAX_FRAME_BYTES) {
      throw new FakeTransportError("E-FAKE-FRAME", `A frame of ${frame.length} bytes is too long.`);
    }
    this.#mustBeOpen();
    if (this.#ended) throw new FakeTransportError("E-FAKE-GONE", "Our side has ended.");
    const other = this.#end();
    other.#unreadBytes += frame.length;
    // A copy: two sites share no memory.
    this.#underWay.push(Uint8Array.from(frame));
    this.#dispatch();
    if (other.#unreadBytes > WINDOW_BYTES) await this.#roomAt(other);
  }

  receive(timeoutMs: number): Promise<Uint8Array | undefined> {
    if (this.#waiter !== undefined) throw new RangeError("two readers of one channel");
    const parcel = this.#take();
    if (parcel !== undefined) return Promise.resolve(parcel === "end" ? undefined : parcel);
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.#wire.clock.after(timeoutMs, () => {
        this.#waiter = undefined;
        reject(new FakeTransportError("E-FAKE-TIMEOUT", `No frame within ${timeoutMs} ms.`));
      });
      this.#waiter = { resolve, reject, cancelTimeout };
    });
  }

  async end(): Promise<void> {
    if (this.#ended || this.#gone !== undefined) return;
    this.#ended = true;
    this.#underWay.push("end");
    this.#dispatch();
    if (this.#readEnd) this.#wire.forget(this);
  }

  abort(reason: string): void {
    this.fail(reason);
    this.#end().fail(reason);
  }

  /** Loses this end: what waits on it rejects, what was not read is dropped. */
  fail(reason: string): void {
    if (this.#gone !== undefined) return;
    this.#gone = new FakeTransportError("E-FAKE-GONE", `The channel is gone: ${reason}.`);
    this.#inbox.length = 0;
    this.#underWay.length = 0;
    this.#wire.forget(this);
    this.#waiter?.cancelTimeout();
    this.#waiter?.reject(this.#gone);
    this.#waiter = undefined;
    for (const failed of this.#failed.splice(0)) failed(this.#gone);
  }

  #end(): FakeChannel {
    if (this.#other === undefined) throw new RangeError("an end without another");
    return this.#other;
  }

  #mustBeOpen(): void {
    if (this.#gone !== undefined) throw this.#gone;
  }

  /** One more arrival: of whatever is then the first under way, so frames never change order. */
  #dispatch(): void {
    const nowMs = this.#wire.clock.monotonicMs();
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, nowMs + this.#wire.delayMs());
    this.#wire.clock.after(this.#lastArrivalMs - nowMs, () => this.#arrive());
  }

  #arrive(): void {
    if (this.#wire.frozen()) {
      this.#wire.onThaw(() => this.#dispatch());
      return;
    }
    const parcel = this.#underWay.shift();
    if (parcel !== undefined) this.#end().#accept(parcel);
  }

  #accept(parcel: Parcel): void {
    if (this.#gone !== undefined) return;
    this.#inbox.push(parcel);
    const waiter = this.#waiter;
    if (waiter === undefined) return;
    this.#waiter = undefined;
    waiter.cancelTimeout();
    const taken = this.#take();
    waiter.resolve(taken === "end" ? undefined : taken);
  }

  #take(): Parcel | undefined {
    if (this.#readEnd) return "end";
    const parcel = this.#inbox.shift();
    if (parcel === undefined) return undefined;
    if (parcel === "end") {
      this.#readEnd = true;
      if (this.#ended) this.#wire.forget(this);
    } else this.#unreadBytes -= parcel.length;
    if (this.#unreadBytes <= WINDOW_BYTES) for (const room of this.#room.splice(0)) room();
    return parcel;
  }

  #roomAt(other: FakeChannel): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#wire.clock.after(SEND_TIMEOUT_MS, () => {
        reject(new FakeTransportError("E-FAKE-TIMEOUT", "The peer takes nothing."));
        this.abort("the peer takes nothing");
      });
      other.#room.push(() => (cancel(), resolve()));
      this.#failed.push((error) => (cancel(), reject(error)));
    });
  }
}
