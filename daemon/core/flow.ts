/**
 * How many bytes of bulk may be under way to a peer.
 *
 * Half a second of the measured rate: whatever waits in modems and buffers behind it, a control
 * message is behind at most that much. The rule steers itself: with a round trip below half a
 * second the window grows until the line is full, and shrinks as soon as a queue builds up.
 */

/** What bulk may delay everything else by. */
const QUEUE_MS = 500;
/** Below this a slow line would idle between acknowledgements. */
export const MIN_WINDOW_BYTES = 32 * 1024;
/** Enough for 64 Mbit/s over any round trip below half a second; more only costs memory. */
export const MAX_WINDOW_BYTES = 4 * 1024 * 1024;
/** Shorter spans measure the scheduler, not the line. */
export const MIN_SAMPLE_MS = 40;

/**
 * The window after a span in which `ackedBytes` were acknowledged.
 *
 * @param wasFull - Whether the window held the sender up; if not, the rate says nothing about
 *   the line and the window does not shrink.
 */
export function nextWindow(
  windowBytes: number,
  ackedBytes: number,
  elapsedMs: number,
  wasFull: boolean,
): number {
  if (elapsedMs < MIN_SAMPLE_MS) return windowBytes;
  const target = (ackedBytes / elapsedMs) * QUEUE_MS;
  if (target < windowBytes && !wasFull) return windowBytes;
  const bounded = Math.min(windowBytes * 2, Math.max(windowBytes / 2, target));
  return Math.round(Math.min(MAX_WINDOW_BYTES, Math.max(MIN_WINDOW_BYTES, bounded)));
}

/** Raw bytes for one frame: small on a slow line, so that others get their turn in between. */
export function frameBytes(windowBytes: number): number {
  return Math.min(256 * 1024, Math.max(16 * 1024, Math.floor(windowBytes / 4)));
}
