/**
 * How much one log may hold. Functions of the log alone, so that all nodes agree on them.
 */

/** Records of one part, deletions included. What outgrows a part goes on in the next. */
export const MAX_LIVE_RECORDS = 2000;
/**
 * Sum of the sizes of a part's records, each counted as {@link recordCost}. Yjs needs at most
 * twice that (short numbers take two bytes where CBOR takes one), so a snapshot always fits
 * MAX_SNAPSHOT_BYTES.
 */
export const MAX_LIVE_BYTES = 120 * 1024;
/** Payloads of the updates since the last snapshot. */
export const MAX_UPDATE_BYTES_SINCE_SNAPSHOT = 512 * 1024;
/** Updates since the last snapshot. */
export const MAX_UPDATES_SINCE_SNAPSHOT = 2000;

/** What one record counts: key, value and the frame that Yjs puts round an item. */
export function recordCost(keyBytes: number, encodedVersionBytes: number): number {
  return keyBytes + encodedVersionBytes + 32;
}
