/** Which of the snapshots that members know of a recovery takes. */
import type { z } from "zod";
import { BackupError } from "../../backup/client/error.ts";
import { leadsThrough, lineOf } from "../../core/backup/snapshot-line.ts";
import { PleachError } from "../../../protocol/error.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import type { SnapshotRecord } from "../../../protocol/backup/snapshot.ts";
import { headOf } from "./backup-link.ts";
import type { recoverStatusShape } from "../../control/shapes-backup.ts";

/** A head of one data set, and who confirms it. */
export type FoundHead = z.infer<typeof recoverStatusShape>["heads"][number];

/**
 * @param heads - Of one data set.
 * @param wanted - The beginning of a root, when a person chose; of another set it says nothing.
 * @returns The head to take, and the newest one that any member knows: the same, or one of whose
 *   snapshot no holder has all.
 * @throws BackupError E-RESTORE-SNAPSHOT when there are several newest ones, or none.
 */
export function chooseHead(
  heads: readonly FoundHead[],
  wanted: string | undefined,
): { readonly taken: FoundHead; readonly newest: FoundHead } {
  const usable = heads.filter(({ available }) => available);
  const chosen = wanted === undefined ? [] : usable.filter((each) => isWanted(each, wanted));
  const tips = chosen.length > 0 ? chosen : newestOfChains(usable);
  const [taken] = tips;
  if (taken !== undefined && tips.length === 1) {
    const [newest = taken] = newestOfChains(
      heads.filter(({ head }) => head.chain === taken.head.chain),
    );
    // Chosen by a person, or the newest there is: then nothing newer was passed over.
    return { taken, newest: newest.head.number > taken.head.number ? newest : taken };
  }
  const lines = usable.map(
    ({ head: { root, number, atMs }, confirmedBy, witnesses }) =>
      `--head ${root.slice(0, 12)}  snapshot ${number}, ${new Date(atMs).toISOString()}, ` +
      `confirmed by ${confirmedBy} of ${witnesses}`,
  );
  throw new BackupError(
    "E-RESTORE-SNAPSHOT",
    tips.length === 0 ? "No snapshot that was found fits." : "There are several newest snapshots.",
    { hint: ["Choose one with --head:", ...lines].join("\n"), exit: 5 },
  );
}

/** So many records are read at most: members may claim what they like. */
const MAX_READ = 16;

/**
 * Leaves the ends of chains out that another one's history names: a person has settled that they
 * are not the newest. What cannot be read settles nothing.
 */
export async function withoutSettled(
  reader: { snapshot(root: ShardId): Promise<SnapshotRecord> },
  heads: readonly FoundHead[],
): Promise<readonly FoundHead[]> {
  const ends = newestOfChains(heads.filter(({ available }) => available));
  const settled = new Set<FoundHead>();
  for (const end of ends.length > 1 ? ends.slice(0, MAX_READ) : []) {
    const head = headOf(end.head);
    if (head === null) continue;
    try {
      const line = lineOf(head.root, await reader.snapshot(head.root));
      for (const other of ends) {
        const known = headOf(other.head);
        if (other !== end && known !== null && leadsThrough(line, known)) settled.add(other);
      }
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
    }
  }
  const chains = new Set([...settled].map(({ head }) => head.chain));
  const standing = new Set(ends.filter((end) => !settled.has(end)).map(({ head }) => head.chain));
  return heads.filter((each) => !chains.has(each.head.chain) || standing.has(each.head.chain));
}

/** Whether a head begins as a person typed it. */
export function isWanted({ head }: FoundHead, wanted: string): boolean {
  return head.root.startsWith(wanted.toLowerCase());
}

/** Two heads that dispute one place of a chain are both its newest. */
function newestOfChains(heads: readonly FoundHead[]): readonly FoundHead[] {
  return heads.filter(({ head }) =>
    heads.every((other) => other.head.chain !== head.chain || other.head.number <= head.number),
  );
}
