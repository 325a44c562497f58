/**
 * Which snapshots of a data set are the newest, and which of them a restore takes.
 *
 * A box that was set back to an old image, and then ran a backup, has a snapshot that is in no
 * chain of the newest one: both are tips, and a person picks. What another tip grew out of is none.
 */
import { BackupError } from "../../backup/client/error.ts";
import { confirmationsNeeded, freshnessText } from "../../core/backup/freshness.ts";
import { leadsThrough, lineOf } from "../../core/backup/snapshot-line.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import { PleachError } from "../../../protocol/error.ts";
import type { SnapshotRecord } from "../../../protocol/backup/snapshot.ts";

/** So many records are read at most: members may claim what they like. */
const MAX_READ = 32;

export interface KnownHead {
  readonly head: Head;
  /** Members that answered now and know it. */
  readonly confirmedBy: number;
}

export interface KnownTip extends KnownHead {
  readonly record: SnapshotRecord;
}

export interface KnownHeads {
  /** Newest first, by the clock of the site. */
  readonly tips: readonly KnownTip[];
  /** Heads that members know, that no tip grew out of, and whose snapshot nobody gives. */
  readonly unread: readonly KnownHead[];
}

/** @param heads - Newest first. */
export async function readHeads(
  reader: { snapshot(root: ShardId): Promise<SnapshotRecord> },
  heads: readonly KnownHead[],
): Promise<KnownHeads> {
  const read: KnownTip[] = [];
  const unread: KnownHead[] = [];
  for (const known of heads) {
    const { head } = known;
    if (read.some((tip) => leadsThrough(lineOfTip(tip), head))) continue;
    if (read.length + unread.length >= MAX_READ) break;
    try {
      const record = await reader.snapshot(head.root);
      // Whoever claims another number for it says nothing about its place.
      if (record.chain === head.chain && record.number === head.number) {
        read.push({ ...known, record });
      }
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      unread.push(known);
    }
  }
  const isTip = ({ head }: KnownHead): boolean =>
    !read.some((tip) => tip.head !== head && leadsThrough(lineOfTip(tip), head));
  return { tips: read.filter(isTip), unread: unread.filter(isTip) };
}

function lineOfTip({ head, record }: KnownTip) {
  return lineOf(head.root, record);
}

/**
 * @param wanted - The beginning of a root, when a person chose.
 * @throws BackupError E-RESTORE-SNAPSHOT when there is none, or several and nobody chose.
 */
export function chooseTip({ tips, unread }: KnownHeads, wanted: string | undefined): KnownTip {
  const fitting =
    wanted === undefined
      ? tips
      : tips.filter(({ head }) => head.root.startsWith(wanted.toLowerCase()));
  const [tip] = fitting;
  if (tip !== undefined && fitting.length === 1) return tip;
  const lines = [
    ...tips.map((each) => `--head ${each.head.root.slice(0, 12)}  ${describe(each)}`),
    ...unread.map((each) => `cannot be had now:    ${describe(each)}`),
  ];
  const message =
    fitting.length > 1
      ? "There are several newest snapshots."
      : wanted === undefined
        ? "No snapshot can be had."
        : `No newest snapshot begins with "${wanted}".`;
  throw new BackupError("E-RESTORE-SNAPSHOT", message, {
    hint: ["Choose one with --head:", ...lines].join("\n"),
    exit: 5,
  });
}

function describe({ head: { number, atMs }, confirmedBy }: KnownHead): string {
  return `snapshot ${number}, ${new Date(atMs).toISOString()}, confirmed by ${confirmedBy}`;
}

/** What is said of the tip that was taken. */
export function tipFreshness(
  { tips, unread }: KnownHeads,
  { head, confirmedBy }: KnownTip,
  { answered, witnesses }: { readonly answered: number; readonly witnesses: number },
) {
  const newer = unread.find((each) => each.confirmedBy > 0);
  const needed = confirmationsNeeded(witnesses);
  const confirmed = newer === undefined && confirmedBy >= needed;
  const text =
    newer === undefined
      ? `Newest snapshot ${head.number}, ${freshnessText(confirmedBy, answered, witnesses)}.`
      : `UNCONFIRMED: the newest that can be had is ${head.number}, members know ${newer.head.number}.`;
  return {
    text,
    fields: {
      number: head.number,
      confirmed,
      confirmedBy,
      answered,
      witnesses,
      needed,
      tips: tips.map((tip) => ({
        root: tip.head.root,
        chain: tip.head.chain,
        number: tip.head.number,
        atMs: tip.head.atMs,
        confirmedBy: tip.confirmedBy,
      })),
    },
  };
}
