/** Which snapshots of a data set grew out of which: told by what each one's history names. */
import type { Head } from "../../../protocol/backup/head.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import type { PastSnapshot, SnapshotRecord } from "../../../protocol/backup/snapshot.ts";

/** A snapshot and those that it grew out of, oldest first, itself last. */
export type SnapshotLine = readonly PastSnapshot[];

/** @param root - Of that record. */
export function lineOf(root: ShardId, record: SnapshotRecord): SnapshotLine {
  const { chain, number, atMs, files, bytes, history } = record;
  return [...history, { chain, number, root, atMs, files, bytes }];
}

/**
 * Whether a line leads through a head: it names it, or has passed its place in the chain without
 * naming another one there, as it does once the snapshot was forgotten.
 */
export function leadsThrough(
  line: SnapshotLine,
  { chain, number, root }: Pick<Head, "chain" | "number" | "root">,
): boolean {
  const ofChain = line.filter((one) => one.chain === chain);
  const there = ofChain.filter((one) => one.number === number);
  if (there.length > 0) return there.some((one) => one.root === root);
  return ofChain.some((one) => one.number > number);
}

/**
 * The snapshots of a line whose records are left. A history names those that were forgotten since
 * until the next run; whether all that one needs is left, its index tells (SnapshotShards).
 *
 * @param listed - The shards that the lists name now.
 */
export function listedOf<Snapshot extends { readonly root: string }>(
  line: readonly Snapshot[],
  listed: ReadonlySet<string>,
): Snapshot[] {
  return line.filter(({ root }) => listed.has(root));
}

/** The snapshots of several lines in one history, oldest first, none twice. */
export function joinLines(lines: readonly SnapshotLine[]): SnapshotLine {
  const all = new Map(lines.flat().map((one) => [one.root, one]));
  return [...all.values()].toSorted((a, b) => a.atMs - b.atMs);
}
