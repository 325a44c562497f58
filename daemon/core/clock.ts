/**
 * The clock seam: time, waiting and chance.
 *
 * Validity never depends on it. The real thing is `daemon/observe/system-clock.ts`; a simulation
 * replaces it by one that it turns by hand, from one seed.
 */
export interface Clock {
  /** Wall time in milliseconds since 1970: for display and advice, it may jump. */
  wallMs(): number;
  /** Milliseconds from some start, never backwards: for ages and time-outs. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`. Returns what cancels it. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void;
  /** Evenly distributed bytes: unpredictable ones in the daemon, seeded ones in a simulation. */
  random(sizeBytes: number): Uint8Array;
}
