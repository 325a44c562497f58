/**
 * Looks after the key epochs of a data set: begins a new one when the last is over, and with
 * `history = "sealed"` erases the keys of those that are over.
 *
 * A key goes only when as many sites as the set wants copies have signed for one shard that
 * carries its capsule. Signatures are checked here, and that shard is read and looked at: the key
 * file of this box is no proof that its capsule ever left it. A crash at any point leaves the key
 * or an erasure that the next look ends.
 */
import { join } from "node:path";
import {
  isCapsuleSafe,
  isEpochOver,
  nextEpoch,
  type EpochLength,
  type History,
} from "../../../core/backup/key-epochs.ts";
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import { PleachError } from "../../../../protocol/error.ts";
import type { MeshId, ShardId, SiteId } from "../../../../protocol/ids.ts";
import { openReceipt, ReceiptError } from "../../../../protocol/backup/receipt.ts";
import { verifyShard } from "../../../../protocol/backup/shard.ts";
import { createEpochKey, endErasures, eraseEpochKey, type EpochKey } from "./epoch-key-files.ts";
import type { KeyStore, KeyState } from "../port.ts";
import { readSetKeys, type OwnerPin, type SetKeyFile } from "./set-key-file.ts";
import { withSetLock } from "../run/set-lock.ts";
import { ListedEpochs } from "./listed-epochs.ts";
import { ShardReader } from "../shard-reader.ts";
import { readTableCache } from "../seal/table-cache.ts";

/** So many shards of an epoch are asked about at a look: the oldest and, of the rest, some. */
const MAX_ASKED = 24;

export interface TendRequest {
  readonly keysFolder: string;
  /** Of the data set. */
  readonly name: string;
  readonly pin: OwnerPin;
  readonly store: KeyStore;
  /** Folder of root's for caches. */
  readonly cacheFolder: string;
  readonly history: History;
  readonly length: EpochLength;
  /** Begin a new epoch whatever the length says. Default: no. */
  readonly rotate?: boolean;
  readonly nowMs: number;
}

export interface Tended {
  /** The epoch that seals what comes next. */
  readonly current: number;
  readonly hasRotated: boolean;
  readonly erased: readonly number[];
  /** Epochs that are over and whose keys are still here, because too few sites have signed. */
  readonly waiting: readonly { readonly epoch: number; readonly signed: number }[];
  /** Sites that have to sign; 0 where there was nothing to ask about. */
  readonly needed: number;
}

/**
 * @returns "busy" when another process is at work with the set; then nothing was done.
 * @throws BackupError when keys cannot be read, made or erased; errors of the store as they come.
 */
export async function tendKeys(request: TendRequest): Promise<Tended | "busy"> {
  const { keysFolder, name, cacheFolder } = request;
  const { set } = readSetKeys(keysFolder, name);
  return withSetLock(cacheFolder, set, async (folder) => {
    const ended = endErasures(keysFolder, set);
    const calm = whenCalm(request);
    if (calm !== undefined) {
      return { current: calm, hasRotated: false, erased: ended, waiting: [], needed: 0 };
    }
    const state = await request.store.state();
    const rotated = rotateIfOver(request, state);
    const { keys, current } = rotated;
    const closed = keys.epochs.filter(({ epoch }) => epoch !== current);
    const needed = Math.max(1, state?.copies ?? 1);
    const done = { current, hasRotated: rotated.hasRotated, needed };
    if (request.history === "box" || state === undefined || closed.length === 0) {
      return { ...done, erased: ended, waiting: [] };
    }
    const erased = [...ended];
    const waiting: { epoch: number; signed: number }[] = [];
    const tables = await tablesOf(keys, request.store, state, folder);
    const listed = new ListedEpochs(keys, request.store, state, tables);
    for (const key of closed) {
      const signed = await signersOf(request, keys, key, listed);
      // Without a shard there is nothing that its key could open.
      if (signed === undefined || isCapsuleSafe(signed, state.copies)) {
        eraseEpochKey(keysFolder, set, key);
        erased.push(key.epoch);
      } else {
        waiting.push({ epoch: key.epoch, signed: signed.size });
      }
    }
    return { ...done, erased, waiting };
  });
}

/**
 * The current epoch when there is nothing to do that the daemon has to be asked about: the state
 * of a terabyte has 20 MB, and a timer looks each quarter of an hour.
 */
function whenCalm(request: TendRequest): number | undefined {
  const { keysFolder, name, history, length, rotate, nowMs } = request;
  const { epochs, erased } = readSetKeys(keysFolder, name);
  const newest = epochs.at(-1);
  if (newest === undefined || rotate === true || length === "run") return undefined;
  if (history === "sealed" && epochs.length > 1) return undefined;
  if (erased.some(({ epoch }) => epoch > newest.epoch)) return undefined;
  const isOver = isEpochOver({ sinceMs: newest.sinceMs, isUsed: true }, length, nowMs);
  return isOver ? undefined : newest.epoch;
}

function rotateIfOver(
  { keysFolder, name, pin, length, rotate, nowMs }: TendRequest,
  state: KeyState | undefined,
): { readonly keys: SetKeyFile; readonly current: number; readonly hasRotated: boolean } {
  const keys = readSetKeys(keysFolder, name);
  const newest = keys.epochs.at(-1);
  const listed = state?.keyEpoch ?? 0;
  const isOver =
    newest === undefined ||
    rotate === true ||
    // Behind an epoch whose key is gone: of an image from before it was made.
    newest.epoch < listed ||
    keys.erased.some(({ epoch }) => epoch > newest.epoch) ||
    isEpochOver({ sinceMs: newest.sinceMs, isUsed: listed >= newest.epoch }, length, nowMs);
  if (!isOver) return { keys, current: newest.epoch, hasRotated: false };
  const known = [...keys.epochs, ...keys.erased].map(({ epoch }) => epoch);
  const epoch = nextEpoch(known, listed);
  const { owner, set, setKey } = keys;
  createEpochKey(keysFolder, { owner, set, epoch }, { setKey, box: pin.box }, nowMs);
  return { keys: readSetKeys(keysFolder, name), current: epoch, hasRotated: true };
}

/** Tables of the newest index; none before the first run ends. */
async function tablesOf(
  { owner, set, setKey }: SetKeyFile,
  store: KeyStore,
  { head, shards }: KeyState,
  folder: string,
): Promise<readonly ShardTable[]> {
  if (head === null || !shards.has(head.root)) return [];
  const cached = readTableCache(join(folder, "tables"), head.root);
  if (cached !== undefined) return cached;
  const reader = new ShardReader(store, { owner, set, setKey, epochs: new Map() });
  const tables: ShardTable[] = [];
  try {
    const record = await reader.snapshot(head.root);
    for await (const table of reader.tables(head.root, record)) tables.push(table);
  } catch (error) {
    // What cannot be had now is looked at again: keys stay until then.
    if (!(error instanceof PleachError)) throw error;
  }
  return tables;
}

/**
 * The sites that have signed for that shard with the capsule for which most have.
 *
 * @returns undefined when no listed shard is of that epoch.
 */
async function signersOf(
  { store, pin }: TendRequest,
  keys: SetKeyFile,
  key: EpochKey,
  listed: ListedEpochs,
): Promise<ReadonlySet<SiteId> | undefined> {
  const shards = await listed.shardsOf(key.epoch);
  if (shards?.length === 0) return undefined;
  let most: ReadonlySet<SiteId> = new Set();
  const step = Math.max(1, Math.ceil((shards?.length ?? 0) / MAX_ASKED));
  for (const shard of (shards ?? []).filter((_shard, at) => at % step === 0)) {
    const signers = await signersFor(store, keys, pin.meshId, shard);
    if (signers.size <= most.size || !(await carries(store, keys, key, shard))) continue;
    most = signers;
    if (isCapsuleSafe(most, listed.copies)) break;
  }
  return most;
}

async function signersFor(
  store: KeyStore,
  { owner, set }: SetKeyFile,
  mesh: MeshId,
  shard: ShardId,
): Promise<ReadonlySet<SiteId>> {
  const signers = new Set<SiteId>();
  for (const signed of await store.receipts(shard)) {
    try {
      const receipt = openReceipt(signed);
      const fits =
        receipt.kind === "shard" &&
        receipt.id === shard &&
        receipt.mesh === mesh &&
        receipt.owner === owner &&
        receipt.set === set;
      if (fits) signers.add(receipt.holder);
    } catch (error) {
      if (!(error instanceof ReceiptError)) throw error;
    }
  }
  return signers;
}

/** Whether a shard has the capsule that stands in the key file; one that cannot be had has not. */
async function carries(
  store: KeyStore,
  { owner, set }: SetKeyFile,
  { epoch, capsule }: EpochKey,
  shard: ShardId,
): Promise<boolean> {
  try {
    const header = verifyShard(owner, set, shard, await store.get(shard));
    return header.keyEpoch === epoch && Buffer.compare(header.capsule, capsule) === 0;
  } catch (error) {
    if (error instanceof PleachError) return false;
    throw error;
  }
}
