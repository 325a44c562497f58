/**
 * Whose fault it is that an item was refused.
 *
 * An honest member checks everything before it passes it on, so bytes that are unsound in
 * themselves are the sender's. Whether an entry has a right, forks a log or finds room depends on
 * what else is known here, and honest members know different things for a while.
 */
const UNSOUND: readonly string[] = ["E-STATE-MESH", "E-STATE-CONTENT"];

/** @param code - Why the state of this node refused it. */
export function isPeersFault(code: string): boolean {
  return (
    code.startsWith("E-ENVELOPE-") || code.startsWith("E-STATEMENT-") || UNSOUND.includes(code)
  );
}
