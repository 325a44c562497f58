/**
 * Where the next snapshot of a data set stands: which line it goes on, and whether its chain.
 *
 * A box that was restored from an old image has files and a head that are older than what it once
 * published. Its next snapshot grows out of the old head, in a new chain, and the newest snapshot of
 * the other line stands beside it until a person settles which one counts. The daemon knows of
 * some such lines; others only members know, so a run asks them before it begins.
 *
 * Members may claim what they like: a head counts when its snapshot can be read, which needs keys
 * that none of them has.
 */
import { randomBytes } from "node:crypto";
import { leadsThrough, lineOf, type SnapshotLine } from "../../../core/backup/snapshot-line.ts";
import { PleachError } from "../../../../protocol/error.ts";
import { placeAfter, type Head } from "../../../../protocol/backup/head.ts";
import { idOf, type ChainId, type ShardId } from "../../../../protocol/ids.ts";
import type { SetState } from "../port.ts";
import type { ShardReader } from "../shard-reader.ts";
import { SnapshotShards } from "../verify/snapshot-shards.ts";
import { withoutForgotten } from "./forgotten-snapshots.ts";

/** So many records are read at most: members may claim what they like. */
const MAX_READ = 16;

/** Shards that no list names any more and that are listed again, with their sizes in bytes. */
export type Relisted = readonly (readonly [ShardId, sizeBytes: number])[];

export type Place = Pick<Head, "chain" | "number" | "previous">;

export interface OwnLine {
  /** The place of the next snapshot. */
  readonly next: Place;
  /** What it grows out of, oldest first. */
  readonly history: SnapshotLine;
  /** The last of them: where a cache of the last run may stand. Null: none. */
  readonly base: Head | null;
  /** Newest snapshots of other lines that the daemon does not know of yet. */
  readonly found: readonly Head[];
  /** What they need and no list names. */
  readonly again: Relisted;
  /** Roots that the daemon takes for tips and that the history names. */
  readonly settled: readonly ShardId[];
}

interface Facts {
  readonly reader: ShardReader;
  /** Undefined: the daemon has never heard of the set. */
  readonly state: SetState | undefined;
  /** Out of what the head of `state` grew, itself included unless it is lost; oldest first. */
  readonly headLine: SnapshotLine;
  /** What this site and the members know. */
  readonly claims: readonly Head[];
  /** Roots of snapshots that were to be forgotten. */
  readonly forgotten: ReadonlySet<ShardId>;
}

export async function ownLine(facts: Facts): Promise<OwnLine> {
  const { reader, state, headLine, claims, forgotten } = facts;
  const head = state?.head ?? null;
  const setBackTo = state?.setBackTo ?? null;
  const tips = state?.tips ?? [];
  const shards: ReadonlySet<ShardId> = state?.shards ?? new Set();
  const base = setBackTo === null ? head : setBackTo.head;
  const isLost = setBackTo === null && base !== null && !shards.has(base.root);
  const history = setBackTo === null ? headLine : await lineAt(reader, base);
  const line = base === null || isNamed(history, base) ? history : [...history, past(base)];

  const lines: SnapshotLine[] = [line];
  if (setBackTo !== null) lines.push(head === null ? headLine : [...headLine, past(head)]);
  // One that no list names stands for what a holder has, and its line is looked at as a claim is.
  const listed = tips.filter(({ root }) => shards.has(root));
  const told = [...claims, ...tips.filter((tip) => !listed.includes(tip))];
  const strange = told.filter((claim) => isNew(claim, [head, base, ...listed], lines));
  if (strange.length > 0) {
    for (const tip of listed) lines.push(await lineAt(reader, tip));
  }
  const found = await readable(
    reader,
    strange.filter((claim) => isNew(claim, [], lines)),
  );
  const settled = [head, ...tips].flatMap((one) => {
    return one !== null && leadsThrough(line, one) ? [one.root] : [];
  });
  const beside = [...tips.filter(({ root }) => !settled.includes(root)), ...found];
  const goesOn =
    base !== null &&
    setBackTo === null &&
    !isLost &&
    found.length === 0 &&
    beside.every(({ chain }) => chain !== base.chain);
  return {
    next: (goesOn ? placeAfter(base) : undefined) ?? newChain(),
    history: await withoutForgotten(reader, history, shards, forgotten),
    base,
    found,
    again: await unlisted(reader, found, lines, shards),
    settled,
  };
}

/** The first place of a chain that nobody knows. */
export function newChain(): Place {
  return { chain: idOf<ChainId>(randomBytes(16)), number: 1, previous: null };
}

function isNew(
  claim: Head,
  known: readonly (Head | null)[],
  lines: readonly SnapshotLine[],
): boolean {
  if (known.some((one) => one?.root === claim.root)) return false;
  return !lines.some((line) => leadsThrough(line, claim));
}

/** The line of a snapshot, as far as it can be read. */
async function lineAt(reader: ShardReader, head: Head | null): Promise<SnapshotLine> {
  if (head === null) return [];
  const line = await read(reader, head);
  return line ?? [past(head)];
}

async function read(reader: ShardReader, head: Head): Promise<SnapshotLine | undefined> {
  try {
    const record = await reader.snapshot(head.root);
    // Whoever claims another number for it says nothing about its place.
    if (record.chain !== head.chain || record.number !== head.number) return undefined;
    return lineOf(head.root, record);
  } catch (error) {
    if (error instanceof PleachError) return undefined;
    throw error;
  }
}

/** Of heads that are claimed, those that can be read and that no other one grew out of. */
export async function readable(reader: ShardReader, claims: readonly Head[]): Promise<Head[]> {
  const found: { readonly head: Head; readonly line: SnapshotLine }[] = [];
  const newestFirst = claims.toSorted((a, b) => b.number - a.number).slice(0, MAX_READ);
  for (const head of newestFirst) {
    if (found.some(({ line }) => leadsThrough(line, head))) continue;
    const line = await read(reader, head);
    if (line !== undefined) found.push({ head, line });
  }
  return found
    .filter(({ head }) => found.every((one) => one.head === head || !leadsThrough(one.line, head)))
    .map(({ head }) => head);
}

/** What lines that have turned up need beside what is listed, and beside what other lines need. */
export async function unlisted(
  reader: ShardReader,
  found: readonly Head[],
  lines: readonly SnapshotLine[],
  shards: ReadonlySet<ShardId>,
): Promise<Relisted> {
  const needed = new SnapshotShards(reader);
  const again = new Map<ShardId, number>();
  for (const head of found) {
    const theirs = (await read(reader, head)) ?? [];
    for (const snapshot of theirs) {
      if (shards.has(snapshot.root)) continue;
      if (snapshot.root !== head.root && lines.some((line) => leadsThrough(line, snapshot)))
        continue;
      try {
        for (const [shard, sizeBytes] of await needed.of([snapshot])) {
          if (shards.has(shard) || again.has(shard)) continue;
          again.set(shard, sizeBytes ?? (await reader.fetch(shard)).bytes.length);
        }
      } catch (error) {
        // What holders let go of it is gone; the rest is kept.
        if (!(error instanceof PleachError)) throw error;
      }
    }
  }
  return [...again];
}

function isNamed(line: SnapshotLine, { root }: Head): boolean {
  return line.some((one) => one.root === root);
}

/** A snapshot of which only the head is known. */
function past({ chain, number, root, atMs }: Head): SnapshotLine[number] {
  return { chain, number, root, atMs, files: 0, bytes: 0 };
}
