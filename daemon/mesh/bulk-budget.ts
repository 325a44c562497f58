/**
 * How many bytes of bulk may be under way to one peer, so that what must be said now is not late.
 *
 * A backup that fills the send buffers of an ADSL line makes every other word wait behind it for
 * many seconds. Bulk is therefore handed over in pieces, the receiver acknowledges them, and the
 * bytes that are not acknowledged stay under a cap that follows the line: about half a second of
 * what it carries. All bulk channels of a link share one budget, in fair parts.
 *
 * Measured at 1 Mbit/s: a cap of 64 KiB keeps the full rate and leaves other words 0.5 s of
 * delay; without a cap they waited for more than 15 s.
 */
import type { Clock } from "../core/clock.ts";
import { FairShares } from "../core/backup/fair-shares.ts";
import { MAX_FRAME_BYTES, type BulkFlow } from "../core/transport.ts";
import { MeshError } from "./error.ts";
import { flowShares } from "./flow-shares.ts";

/** A frame of bulk is handed over in pieces, so that others' words fit between; the smallest. */
const MIN_PIECE_BYTES = 16 * 1024;
/** The receiver acknowledges after so many bytes at the latest. */
export const ACKNOWLEDGE_EVERY_BYTES = 16 * 1024;

const MIN_CAP_BYTES = 32 * 1024;
const START_CAP_BYTES = 64 * 1024;
/** Half a second of 8 MB/s; a faster line is never short of it, for its answers come quickly. */
const MAX_CAP_BYTES = 4 * 1024 * 1024;
/** The delay that bulk may cause on the line. */
const TARGET_DELAY_MS = 500;
/** On a line whose own round trip is longer than the target, the cap must not fall to nothing. */
const MAX_TARGET_DELAY_MS = 1500;

/** A peer that acknowledges nothing for so long gets no more. */
const SILENT_MS = 60_000;

interface Waiter {
  readonly sizeBytes: number;
  readonly go: () => void;
  readonly fail: (error: MeshError) => void;
}

export class BulkBudget {
  readonly #clock: Clock;
  readonly #waiting = new FairShares<Waiter>();
  #limitBytes = MAX_CAP_BYTES;
  #capBytes = START_CAP_BYTES;
  #underWayBytes = 0;
  #minRoundTripMs = Number.POSITIVE_INFINITY;
  /** One piece at a time is timed: when so many bytes are acknowledged, its round trip is known. */
  #timed: { untilBytes: number; readonly sentAtMs: number; limited: boolean } | undefined;
  #movedAtMs: number;
  #closed: MeshError | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#movedAtMs = clock.monotonicMs();
  }

  get capBytes(): number {
    return this.#capBytes;
  }

  /** What the line is known to carry in half a second: the cap never passes it. */
  limitTo(bytes: number): void {
    this.#limitBytes = Math.min(MAX_CAP_BYTES, Math.max(MIN_CAP_BYTES, bytes));
    this.#capBytes = Math.min(this.#capBytes, this.#limitBytes);
  }

  /** The size to cut pieces to: an eighth of the cap, whole frames on a fast line. */
  get pieceBytes(): number {
    return Math.min(MAX_FRAME_BYTES, Math.max(MIN_PIECE_BYTES, Math.floor(this.#capBytes / 8)));
  }

  /**
   * Resolves when so many bytes (at most {@link pieceBytes}) may be handed over.
   *
   * @throws MeshError when the link is gone, or its peer acknowledges nothing for 60 s.
   */
  async take(sizeBytes: number, flow: BulkFlow): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#waiting.size === 0 && this.#fits(sizeBytes)) {
      this.#admit(sizeBytes);
      return;
    }
    if (this.#timed !== undefined) this.#timed.limited = true;
    await new Promise<void>((go, fail) => {
      if (this.#waiting.size === 0) this.#watchSilence();
      this.#waiting.add(flowShares(flow), sizeBytes, { sizeBytes, go, fail });
    });
  }

  /** Counts bytes that the peer has, or that will never arrive because their channel is gone. */
  settled(sizeBytes: number): void {
    this.#movedAtMs = this.#clock.monotonicMs();
    this.#underWayBytes = Math.max(0, this.#underWayBytes - sizeBytes);
    const timed = this.#timed;
    if (timed !== undefined) {
      timed.untilBytes -= sizeBytes;
      if (timed.untilBytes <= 0) {
        this.#timed = undefined;
        this.#adapt(this.#clock.monotonicMs() - timed.sentAtMs, timed.limited);
      }
    }
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!this.#fits(next.sizeBytes)) return;
      this.#waiting.take();
      this.#admit(next.sizeBytes);
      next.go();
    }
  }

  /** Ends every wait: the link is gone. */
  close(error: MeshError): void {
    this.#closed = error;
    for (const waiter of this.#waiting.drain()) waiter.fail(error);
  }

  #watchSilence(): void {
    this.#movedAtMs = this.#clock.monotonicMs();
    const look = (): void => {
      if (this.#waiting.size === 0) return;
      const leftMs = this.#movedAtMs + SILENT_MS - this.#clock.monotonicMs();
      if (leftMs > 0) {
        this.#clock.after(leftMs, look);
        return;
      }
      const error = new MeshError("E-MESH-TIMEOUT", "The peer acknowledged nothing for 60 s.");
      for (const waiter of this.#waiting.drain()) waiter.fail(error);
    };
    this.#clock.after(SILENT_MS, look);
  }

  /**
   * A full cap that comes round in t ms carries cap/t, so cap x target/t is what the line carries
   * in the target time. It grows only when it was the cap that held the sender back.
   */
  #adapt(roundTripMs: number, limited: boolean): void {
    const measuredMs = Math.max(1, roundTripMs);
    this.#minRoundTripMs = Math.min(this.#minRoundTripMs, measuredMs);
    const targetMs = Math.min(
      MAX_TARGET_DELAY_MS,
      Math.max(TARGET_DELAY_MS, this.#minRoundTripMs * 1.5),
    );
    const factor = Math.min(2, Math.max(0.5, targetMs / measuredMs));
    if (factor > 1 && !limited) return;
    this.#capBytes = Math.min(this.#limitBytes, Math.max(MIN_CAP_BYTES, this.#capBytes * factor));
  }

  /** A piece that was cut before the cap fell may be larger than it, and still has to go. */
  #fits(sizeBytes: number): boolean {
    return this.#underWayBytes === 0 || this.#underWayBytes + sizeBytes <= this.#capBytes;
  }

  #admit(sizeBytes: number): void {
    this.#underWayBytes += sizeBytes;
    this.#timed ??= {
      untilBytes: this.#underWayBytes,
      sentAtMs: this.#clock.monotonicMs(),
      limited: this.#waiting.size > 0,
    };
  }
}
