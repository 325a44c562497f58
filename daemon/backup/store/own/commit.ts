/**
 * Publishes what a run has stored: checks it, signs the lists that change, makes them durable.
 *
 * Lists and the set's own record are one batch, so after a crash either the run counts or nothing
 * of it does, and its shards are found by the next one.
 */
import {
  parseId,
  type MeshId,
  type OwnerId,
  type SetId,
  type ShardId,
} from "../../../../protocol/ids.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import { groupOf, ListError, signList, type ListEntry } from "../../../../protocol/backup/list.ts";
import { isShardSize } from "../../../../protocol/backup/shard-id.ts";
import { nextLists, type GroupState } from "../../../core/backup/next-lists.ts";
import { MAX_TIPS, nextTips, type Tips, type TipsChange } from "../../../core/backup/next-tips.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import { loadList, type LoadedList } from "../lists/list-store.ts";
import type { OwnSet, OwnSets } from "./own-sets.ts";

export interface CommitInput extends TipsChange {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly sealedName: Uint8Array;
  readonly keyEpoch: number;
  readonly copies: number;
  readonly add: readonly ListEntry[];
  /** Named by no list any more, but kept by holders: they are listed again, wherever they are. */
  readonly again: readonly ListEntry[];
  readonly remove: readonly ShardId[];
  /** See next-lists.ts. */
  readonly splitBytes: number;
}

/** How many files are looked at at once. */
const PARALLEL_LOOKS = 32;

/**
 * @returns the set as it is now. The caller runs commits of one set one after another.
 * @throws BackupError when the site may not write the set, the head does not follow, or shards
 *   are missing; then nothing was changed.
 */
export async function commit(holder: Holder, own: OwnSets, input: CommitInput): Promise<OwnSet> {
  const mesh = checkRight(holder, input.owner, input.set);
  const before = own.get(input.set);
  if (before !== undefined && before.owner !== input.owner) {
    throw new BackupError("E-BACKUP-RIGHT", "The data set belongs to another owner.", { exit: 5 });
  }
  const tips = tipsAfter(before ?? { head: null, tips: [], setBackTo: null }, input);
  return holder.gates.run(input, () => publish(holder, own, input, mesh, tips));
}

/** No shard may be deleted between the look whether it is here and the list that names it. */
async function publish(
  holder: Holder,
  own: OwnSets,
  input: CommitInput,
  mesh: MeshId,
  { head, tips, setBackTo }: Tips,
): Promise<OwnSet> {
  const before = own.get(input.set);
  await checkStored(holder, input);
  const groups = await currentGroups(holder, before);
  const isNewHead = head !== null && head.root !== before?.head?.root;
  const remove = new Set(input.remove);
  const root = isNewHead ? head.root : null;
  checkTips(tips, remove);
  const add = [...input.add, ...input.again];
  const next = nextLists(groups, { add, remove, root }, input.splitBytes);
  checkRoot(head, groups, next.length === 0 ? [] : next.flatMap(({ entries }) => entries), remove);
  let signed: LoadedList[];
  try {
    signed = next.map(({ entries, ...place }) => {
      const { owner, set, sealedName, keyEpoch, copies } = input;
      const fields = { mesh, owner, set, ...place, sealedName, keyEpoch, copies, head };
      return loadList(signList(holder.siteKey, fields, entries));
    });
  } catch (cause) {
    if (!(cause instanceof ListError)) throw cause;
    throw new BackupError("E-BACKUP-INPUT", cause.message, { exit: 2, cause });
  }
  const count = next[0]?.groups ?? groups.length;
  const targets = before?.targets ?? [];
  const after: OwnSet = {
    v: 1,
    owner: input.owner,
    set: input.set,
    sealedName: input.sealedName,
    keyEpoch: input.keyEpoch,
    copies: input.copies,
    head,
    tips: [...tips],
    setBackTo,
    // The halves of a split group keep its holders.
    targets: Array.from({ length: count }, (_none, group) => [
      ...(targets[group] ?? targets[group & (targets.length - 1)] ?? []),
    ]),
    sentBytes: before?.sentBytes ?? 0,
  };
  await holder.lists.put(signed, [own.change(after)]);
  own.accept(after);
  return after;
}

/** @throws BackupError unless this site is the one that writes the set. */
function checkRight(holder: Holder, owner: OwnerId, set: SetId) {
  const { state, transport } = holder;
  const mesh = state.meshId;
  if (mesh === undefined) {
    throw new BackupError("E-BACKUP-MESH", "The site is in no mesh yet.", {
      hint: "Begin one with: pleach init, or enter one with: pleach join",
    });
  }
  if (state.authority().delegationFor(owner, set, transport.self) === undefined) {
    throw new BackupError("E-BACKUP-RIGHT", "The owner did not delegate the data set here.", {
      exit: 5,
      hint: "The owner's phrase can do so on this site; see: pleach join --help",
    });
  }
  return mesh;
}

function tipsAfter(before: Tips, input: CommitInput): Tips {
  const after = nextTips(before, input);
  if (typeof after !== "string") return after;
  if (after === "many") {
    const message = `More than ${MAX_TIPS} newest snapshots would stand beside one another.`;
    throw new BackupError("E-BACKUP-HEAD", message, {
      hint: "Say which one counts:  pleach backup settle NAME --head ROOT",
    });
  }
  const { number, chain } = input.head ?? { number: 0, chain: "" };
  if (after === "set-back") {
    const message = `The directory was set back: no snapshot may go on in chain ${chain}.`;
    throw new BackupError("E-BACKUP-HEAD", message, {
      hint: "Run the backup again: it begins a new chain.",
    });
  }
  const at = before.head;
  const newest = at === null ? "none" : `number ${at.number} of chain ${at.chain}`;
  throw new BackupError(
    "E-BACKUP-HEAD",
    `Head ${number} of chain ${chain} does not follow the newest one (${newest}).`,
    { hint: "Another run has published meanwhile. Run the backup again." },
  );
}

/** @throws BackupError when what a tip begins with would leave the lists. */
function checkTips(tips: readonly Head[], remove: ReadonlySet<ShardId>): void {
  const tip = tips.find(({ root }) => remove.has(root));
  if (tip === undefined) return;
  throw new BackupError("E-BACKUP-INPUT", "The root of a newest snapshot cannot be forgotten.", {
    hint: "Say which one counts:  pleach backup settle NAME --head ROOT",
    exit: 2,
  });
}

async function checkStored(holder: Holder, { owner, set, add, again }: CommitInput): Promise<void> {
  const odd = [...add, ...again].find(({ shard, sizeBytes }) => {
    return parseId<ShardId>(shard) === undefined || !isShardSize(sizeBytes);
  });
  if (odd !== undefined) {
    const message = `No shard has ${odd.sizeBytes} bytes (${odd.shard}).`;
    throw new BackupError("E-BACKUP-INPUT", message, { exit: 2 });
  }
  await holder.shards.settleNames(owner, set);
  for (let start = 0; start < add.length; start += PARALLEL_LOOKS) {
    const part = add.slice(start, start + PARALLEL_LOOKS);
    const sizes = await Promise.all(
      part.map(({ shard }) => holder.shards.sizeOf({ owner, set, shard })),
    );
    const lost = part.find(({ sizeBytes }, index) => sizes[index] !== sizeBytes);
    if (lost !== undefined) {
      throw new BackupError(
        "E-BACKUP-MISSING",
        `Shard ${lost.shard} is not in the local store with ${lost.sizeBytes} bytes.`,
        { hint: "Store it first. Run the backup again." },
      );
    }
  }
}

async function currentGroups(holder: Holder, before: OwnSet | undefined): Promise<GroupState[]> {
  if (before === undefined) return [];
  return Promise.all(
    before.targets.map(async (_targets, group) => {
      const list = await holder.lists.load(before.owner, before.set, group);
      if (list === undefined) {
        const message = `The list of group ${group} is lost or damaged.`;
        throw new BackupError("E-BACKUP-DISK", message);
      }
      return { generation: list.header.generation, list: list.id, entries: list.entries };
    }),
  );
}

function checkRoot(
  head: Head | null,
  groups: readonly GroupState[],
  changed: readonly ListEntry[],
  remove: ReadonlySet<ShardId>,
): void {
  if (head === null) return;
  const listed = (entries: readonly ListEntry[]): boolean =>
    entries.some(({ shard }) => shard === head.root);
  const kept = groups[groupOf(head.root, Math.max(1, groups.length))]?.entries ?? [];
  if (listed(changed) || (listed(kept) && !remove.has(head.root))) return;
  throw new BackupError("E-BACKUP-INPUT", "The root of the head is none of the set's shards.", {
    exit: 2,
  });
}
