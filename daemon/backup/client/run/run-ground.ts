/**
 * What a run builds on: the newest snapshot and what it needs, and the place of the next one.
 *
 * Usually that is the head that the daemon knows. A box that was taken over may have published any
 * head: one that leads to nothing that these keys have sealed, with lists that name nothing else.
 * Then the run builds on what the box had before, or on the one newest snapshot that members know
 * and that can be read; what that needs is listed again before anything else is done, so that
 * nothing of it is sent twice and no lock of it ends.
 */
import { shardIdOf } from "../../../../protocol/backup/shard-id.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import { PleachError } from "../../../../protocol/error.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import type { SetKeyFile } from "../keys/set-key-file.ts";
import type { CommitRequest, SetState, SetStore } from "../port.ts";
import { readBefore, type Before } from "../read/before-run.ts";
import { ShardReader } from "../shard-reader.ts";
import { readForgotten } from "./forgotten-snapshots.ts";
import { SnapshotShards } from "../verify/snapshot-shards.ts";
import { ownLine, readable, unlisted, type OwnLine } from "./own-line.ts";
import type { RunJournal } from "./run-journal.ts";

export interface Ground {
  readonly before: Before;
  readonly line: OwnLine;
}

export interface GroundRequest {
  readonly keys: SetKeyFile;
  readonly store: SetStore;
  /** Of the caches of this set. */
  readonly folder: string;
  readonly journal: RunJournal;
  /** Of every commit of this run. */
  readonly plain: Pick<CommitRequest, "owner" | "sealedName" | "keyEpoch" | "copies">;
}

/** @throws BackupError when the newest snapshot cannot be read now, and may be later. */
export async function runGround(request: GroundRequest): Promise<Ground> {
  const { keys, store, folder, journal, plain } = request;
  const [state, claims] = await Promise.all([store.state(), store.heads()]);
  const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
  const { owner, set, setKey } = keys;
  const reader = new ShardReader(store, { owner, set, setKey, epochs });
  let ground: Ground;
  try {
    const before = await readBefore(keys, store, folder, journal, state);
    const forgotten = readForgotten(folder);
    const line = await ownLine({ reader, state, headLine: before.history, claims, forgotten });
    ground = { before, line };
  } catch (error) {
    if (!(error instanceof PleachError) || state === undefined || state.head === null) throw error;
    const isNone = await isNoSnapshot(request, reader, state.head.root);
    if (!isNone && state.setBackTo === null) throw error;
    ground = await groundBelow(request, reader, { ...state, head: state.head }, claims, isNone);
  }
  const { found, again, settled } = ground.line;
  if (found.length > 0) {
    // Nothing of another line may go while it stands.
    await store.commit({ ...plain, head: null, add: [], found, again });
  }
  const standing = (state?.tips ?? []).filter(({ root }) => !settled.includes(root));
  const none = await noSnapshots(request, reader, standing);
  return { ...ground, line: { ...ground.line, settled: [...settled, ...none] } };
}

/** Of tips, the roots of those that never were snapshots: nobody can settle for them. */
async function noSnapshots(
  request: GroundRequest,
  reader: ShardReader,
  tips: readonly Head[],
): Promise<ShardId[]> {
  const none: ShardId[] = [];
  for (const { root } of tips) if (await isNoSnapshot(request, reader, root)) none.push(root);
  return none;
}

/**
 * Whether a shard is here as its name says and holds no snapshot of this set: then nobody has
 * another one of that name.
 */
async function isNoSnapshot(
  { keys, store }: GroundRequest,
  reader: ShardReader,
  root: ShardId,
): Promise<boolean> {
  try {
    await reader.snapshot(root);
    return false;
  } catch (error) {
    if (!(error instanceof PleachError)) throw error;
  }
  try {
    const bytes = await store.get(root);
    return shardIdOf(keys.owner, keys.set, bytes) === root;
  } catch (error) {
    if (!(error instanceof PleachError)) throw error;
    return false;
  }
}

/** What a run builds on that cannot build on the head. @param isNone - The head never was one. */
async function groundBelow(
  request: GroundRequest,
  reader: ShardReader,
  state: SetState & { readonly head: Head },
  claims: readonly Head[],
  isNone: boolean,
): Promise<Ground> {
  const { keys, store, folder, journal, plain } = request;
  const { head } = state;
  const others = claims.filter(({ root }) => root !== head.root);
  const base = state.setBackTo === null ? await only(reader, others) : state.setBackTo.head;
  if (base !== null && !state.shards.has(base.root)) {
    const again = await unlisted(reader, [base], [], state.shards);
    if (again.length > 0) await store.commit({ ...plain, head: null, add: [], again });
  }
  if (base !== null && isNone) {
    const remove = await needless(request, reader, (await store.state()) ?? state, base);
    if (remove.length > 0) await store.commit({ ...plain, head: null, add: [], remove });
  }
  const { shards } = (await store.state()) ?? state;
  const below = { ...state, head: base, shards: shards.difference(new Set([head.root])) };
  const before = await readBefore(keys, store, folder, journal, below);
  const line = await ownLine({
    ...{ reader, claims: others, headLine: [], forgotten: readForgotten(folder) },
    state: { ...below, head: null, setBackTo: { head: base } },
  });
  // What never was a snapshot does not stand beside others.
  return { before, line: isNone ? { ...line, settled: [...line.settled, head.root] } : line };
}

/**
 * What lists name and no snapshot needs: whoever published a head that is none may have filled the
 * holders, each with something else, so that none has room for what the others have.
 */
async function needless(
  request: GroundRequest,
  reader: ShardReader,
  { head, tips, shards }: SetState,
  base: Head,
): Promise<ShardId[]> {
  const none = new Set(await noSnapshots(request, reader, tips));
  const standing = [base, ...tips.filter(({ root }) => !none.has(root))];
  try {
    const snapshots: Pick<Head, "root">[] = [];
    for (const { root } of standing) {
      snapshots.push(...(await reader.snapshot(root)).history, { root });
    }
    const listed = snapshots.filter(({ root }) => shards.has(root));
    const needed = await new SnapshotShards(reader).of(listed);
    for (const one of [head, ...tips]) if (one !== null) needed.set(one.root, undefined);
    return [...shards].filter((shard) => !needed.has(shard));
  } catch (error) {
    if (!(error instanceof PleachError)) throw error;
    // What is needed is not known: everything stays.
    return [];
  }
}

/** The newest snapshot that can be read; null when there is none, or a person has to pick. */
async function only(reader: ShardReader, claims: readonly Head[]): Promise<Head | null> {
  const [one = null, ...more] = await readable(reader, claims);
  return more.length === 0 ? one : null;
}
