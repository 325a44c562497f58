/**
 * A slow line that several connections share, as the uplink of a site does.
 *
 * It reads from a sender only what may pass now, so that the rest waits with the sender as on a real
 * line, and takes the connections in turn.
 */
import type { Socket } from "node:net";

const TICK_MS = 20;
/** What one connection passes before it is the next one's turn. */
const TURN_BYTES = 1448;
/** Of what was not used, so much is left. */
const SAVED_MS = 100;

export class SharedLine {
  readonly #bytesPerSecond: number;
  readonly #carried: [from: Socket, to: Socket][] = [];
  readonly #timer: NodeJS.Timeout;
  #allowance = 0;
  #lastMs = performance.now();
  /** Bytes that have passed. */
  passedBytes = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Carries what `from` sends to `to`, in place of a pipe. */
  carry(from: Socket, to: Socket): void {
    const pair: [Socket, Socket] = [from, to];
    this.#carried.push(pair);
    from.on("end", () => to.end());
    from.on("close", () => this.#carried.splice(this.#carried.indexOf(pair), 1));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const nowMs = performance.now();
    const perMs = this.#bytesPerSecond / 1000;
    this.#allowance = Math.min(
      this.#allowance + (nowMs - this.#lastMs) * perMs,
      Math.max(SAVED_MS, nowMs - this.#lastMs) * perMs,
    );
    this.#lastMs = nowMs;
    for (let idle = 0; idle < this.#carried.length && this.#allowance >= 1;) {
      const pair = this.#carried.shift();
      if (pair === undefined) return;
      this.#carried.push(pair);
      idle = this.#pass(...pair) ? 0 : idle + 1;
    }
  }

  #pass(from: Socket, to: Socket): boolean {
    const size = Math.min(from.readableLength, TURN_BYTES, Math.floor(this.#allowance));
    const chunk = size > 0 ? (from.read(size) as Buffer | null) : (from.read(0), null);
    if (chunk === null) return false;
    this.#allowance -= chunk.length;
    this.passedBytes += chunk.length;
    to.write(chunk);
    return true;
  }
}
