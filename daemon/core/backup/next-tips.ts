/**
 * Which snapshots of a data set are the newest after a commit: the head, and other tips beside it.
 *
 * A site goes on at its head. Where its directory was set back to an older copy, or another line of
 * the set turned up, the newest snapshot of that line is a tip: it stands until a person settles
 * it, and as long as it does nothing of it leaves the lists.
 */
import { mayFollow, type Head } from "../../../protocol/backup/head.ts";
import type { ShardId } from "../../../protocol/ids.ts";

/** More lines of one set would be a machine that is set back again and again. */
export const MAX_TIPS = 16;

export interface Tips {
  /** The snapshot that the site goes on from; null before the first one. */
  readonly head: Head | null;
  /** The newest snapshots of other lines, none twice. */
  readonly tips: readonly Head[];
  /**
   * The head that the directory had when it was found older than what the site had published; the
   * next snapshot grows out of that one and begins a new chain. Null: it was not.
   */
  readonly setBackTo: { readonly head: Head | null } | null;
}

export interface TipsChange {
  /** Null: the head stays. */
  readonly head: Head | null;
  /** Newest snapshots of other lines that have turned up. */
  readonly found: readonly Head[];
  /** Roots that are tips no more: the history of the head names them now. */
  readonly settled: readonly ShardId[];
}

/**
 * - `set-back`: the directory was set back, and the snapshot does not begin a new chain.
 * - `order`: it follows no newest snapshot, and does not begin a new chain.
 * - `many`: there would be more than {@link MAX_TIPS} tips.
 */
export type TipsFault = "set-back" | "order" | "many";

export function nextTips(before: Tips, change: TipsChange): Tips | TipsFault {
  const { head: wanted } = change;
  // The answer to an earlier attempt was lost: the client asks again for what is done.
  if (wanted !== null && isSame(before.head, wanted)) return before;
  const settled = new Set<ShardId>(change.settled);
  const standing = unique([...before.tips, ...change.found]).filter(
    ({ root }) => root !== before.head?.root,
  );
  if (wanted === null) return bounded(before, standing, settled);
  const lines = before.head === null ? standing : [before.head, ...standing];
  if (lines.every((line) => line.chain !== wanted.chain)) {
    if (!mayFollow(null, wanted)) return "order";
    return bounded({ head: wanted, setBackTo: null }, lines, settled);
  }
  const followed = lines.find((line) => line.chain === wanted.chain && mayFollow(line, wanted));
  if (followed === undefined) return "order";
  if (before.setBackTo !== null) return "set-back";
  const others = lines.filter((line) => line !== followed);
  return bounded({ head: wanted, setBackTo: null }, others, settled);
}

function bounded(
  { head, setBackTo }: Omit<Tips, "tips">,
  others: readonly Head[],
  settled: ReadonlySet<ShardId>,
): Tips | TipsFault {
  const tips = others.filter(({ root }) => !settled.has(root) && root !== head?.root);
  return tips.length > MAX_TIPS ? "many" : { head, tips, setBackTo };
}

function unique(heads: readonly Head[]): Head[] {
  return [...new Map(heads.map((head) => [head.root, head])).values()];
}

function isSame(a: Head | null, b: Head): boolean {
  return a?.chain === b.chain && a.number === b.number && a.root === b.root;
}
