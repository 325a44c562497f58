/**
 * What a channel owes its peer: acknowledgements of bulk that came.
 *
 * Small change waits for the next 16 KiB, or for a whole frame, whichever comes first. Over a line
 * with a limit they wait for their turn there: what is acknowledged later comes later, so the rate
 * of what comes is kept as well. A peer that reads nothing gets no more of these into our memory:
 * they wait, added up.
 */
import type { BulkFlow } from "../core/transport.ts";
import { ACKNOWLEDGE_EVERY_BYTES } from "./bulk-budget.ts";
import type { Line } from "./uplinks.ts";

export class ReceiptsOwed {
  readonly #line: Line | undefined;
  readonly #due: () => void;
  readonly #failed: (error: unknown) => void;
  /** Received and not acknowledged yet. */
  #owedBytes = 0;
  /** Received, and let through by the line to be acknowledged. */
  #dueBytes = 0;

  /**
   * @param due - Something may be acknowledged now, in a later turn than it came.
   * @param failed - The line lets nothing through.
   */
  constructor(line: Line | undefined, due: () => void, failed: (error: unknown) => void) {
    this.#line = line;
    this.#due = due;
    this.#failed = failed;
  }

  /** @param goesOn - Whether the frame has more pieces. */
  came(sizeBytes: number, goesOn: boolean, flow: BulkFlow): void {
    this.#owedBytes += sizeBytes;
    if (goesOn && this.#owedBytes < ACKNOWLEDGE_EVERY_BYTES) return;
    const owed = this.#owedBytes;
    this.#owedBytes = 0;
    if (this.#line === undefined) {
      this.#dueBytes += owed;
      return;
    }
    this.#line.receive.pass(flow, owed).then(() => {
      this.#dueBytes += owed;
      this.#due();
    }, this.#failed);
  }

  /** What is to be acknowledged now, in bytes; the caller does. */
  take(): number {
    const due = this.#dueBytes;
    this.#dueBytes = 0;
    return due;
  }

  get isDue(): boolean {
    return this.#dueBytes > 0;
  }
}
