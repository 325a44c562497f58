/**
 * Lets bulk through one line in one direction at a given rate, in fair shares.
 *
 * What passes is paid for afterwards: a piece goes when nothing is owed for those before it, so
 * pieces of any size keep the rate and at most one of them goes ahead of it. Five percent are
 * counted on top, for what Noise, yamux, TCP and IP add.
 */
import type { Clock } from "../core/clock.ts";
import { FairShares } from "../core/backup/fair-shares.ts";
import type { BulkFlow } from "../core/transport.ts";
import { flowShares } from "./flow-shares.ts";
import { MeshError } from "./error.ts";

const OVERHEAD_FACTOR = 1.05;
/** What was not used within so long is lost: no burst fills the line's queue. */
const MAX_SAVED_MS = 50;
/** The rate may change while somebody waits. */
const MAX_WAIT_MS = 1000;

interface Waiter {
  readonly flow: BulkFlow;
  readonly sizeBytes: number;
  readonly go: () => void;
  readonly fail: (error: MeshError) => void;
}

export interface PacerOptions {
  readonly clock: Clock;
  /** Bytes per second now; undefined for no limit. */
  readonly rate: () => number | undefined;
  /** Whether bytes of this flow may pass at this hour. */
  readonly isOpen: (flow: BulkFlow) => boolean;
}

export class Pacer {
  readonly #options: PacerOptions;
  #waiting = new FairShares<Waiter>();
  /** Milliseconds on the monotonic clock until which the line is paid for. */
  #paidUntilMs = 0;
  #cancel: (() => void) | undefined;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** Half a second of the line, at most which should be under way; undefined without a limit. */
  get halfSecondBytes(): number | undefined {
    const rate = this.#options.rate();
    return rate === undefined ? undefined : rate / 2;
  }

  /**
   * Resolves when so many bytes may go.
   *
   * @throws MeshError (E-MESH-HOURS) when nothing of this flow may pass at this hour.
   */
  async pass(flow: BulkFlow, sizeBytes: number): Promise<void> {
    if (!this.#options.isOpen(flow)) throw closed();
    if (this.#waiting.size === 0 && this.#isFree()) {
      this.#pay(sizeBytes);
      return;
    }
    await new Promise<void>((go, fail) => {
      this.#waiting.add(flowShares(flow), sizeBytes, { flow, sizeBytes, go, fail });
      this.#arm();
    });
  }

  /** Hours or rates are others now. */
  look(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const stopped: Waiter[] = [];
    const left = new FairShares<Waiter>();
    for (const waiter of this.#waiting.drain()) {
      if (this.#options.isOpen(waiter.flow)) {
        left.add(flowShares(waiter.flow), waiter.sizeBytes, waiter);
      } else stopped.push(waiter);
    }
    this.#waiting = left;
    for (const waiter of stopped) waiter.fail(closed());
    this.#serve();
  }

  #serve(): void {
    while (this.#waiting.size > 0 && this.#isFree()) {
      const waiter = this.#waiting.take();
      if (waiter === undefined) return;
      if (this.#options.isOpen(waiter.flow)) {
        this.#pay(waiter.sizeBytes);
        waiter.go();
      } else waiter.fail(closed());
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#cancel !== undefined || this.#waiting.size === 0) return;
    const { clock } = this.#options;
    const leftMs = Math.max(1, this.#paidUntilMs - clock.monotonicMs());
    this.#cancel = clock.after(Math.min(MAX_WAIT_MS, leftMs), () => {
      this.#cancel = undefined;
      this.#serve();
    });
  }

  #isFree(): boolean {
    const { clock, rate } = this.#options;
    return rate() === undefined || this.#paidUntilMs <= clock.monotonicMs();
  }

  #pay(sizeBytes: number): void {
    const { clock, rate } = this.#options;
    const bytesPerSecond = rate();
    const nowMs = clock.monotonicMs();
    if (bytesPerSecond === undefined) {
      this.#paidUntilMs = nowMs;
      return;
    }
    const fromMs = Math.max(this.#paidUntilMs, nowMs - MAX_SAVED_MS);
    this.#paidUntilMs = fromMs + (sizeBytes * OVERHEAD_FACTOR * 1000) / bytesPerSecond;
  }
}

function closed(): MeshError {
  return new MeshError("E-MESH-HOURS", "No copies are made over this line at this hour.");
}
