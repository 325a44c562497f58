/**
 * How far the audit of one holder of one set is, and what its answers mean.
 *
 * A round is put once: what was not answered stays open and is asked again, the same leaves under
 * the same nonce, so that nobody gains by being away when a question is unwelcome. A question that
 * stays open through 72 h in which the holder was there counts as failed, and with it all that the
 * holder claims. A wrong answer counts at once, and its group is asked shard by shard; a shard
 * is lost when it was not answered right twice, so that an honest holder has time to fetch what it
 * found missing. What is lost is asked for again and again: a holder that has it back is a
 * holder again.
 *
 * Times are milliseconds of the asker's running time: neither wall clock nor the time in which the
 * asker was off counts.
 */
import type { ShardId, StoreId } from "../../../protocol/ids.ts";
import type { AuditOutcome } from "../../../protocol/logs/hold-record.ts";
import type { AuditItem } from "./audit-choice.ts";

/** Of the shards of a holder that lost more, the first so many are remembered. */
export const MAX_SUSPECTS = 4096;
/** Not answered right so often: lost. */
const TIMES_LOST = 2;

export interface Suspect {
  readonly group: number;
  readonly shard: ShardId;
  readonly sizeBytes: number;
  /** How often it was asked for and not answered right. */
  readonly times: number;
}

export interface AuditProgress {
  /** What was found holds for this store of the holder. */
  readonly storeId: StoreId;
  /** Number of the round that was put last; 0 before the first. */
  readonly round: number;
  /** Hexadecimal, 32 bytes: of the round and what follows from it. */
  readonly nonce: string;
  readonly sinceRoundMs: number;
  /** Asked and not answered. */
  readonly open: readonly AuditItem[];
  /** How long the holder was there while something was open. */
  readonly presentMs: number;
  /** Groups that are asked shard by shard, the first one up to this shard so far. */
  readonly census: { readonly groups: readonly number[]; readonly after: ShardId | null };
  readonly suspects: readonly Suspect[];
  /** Since the suspects were last asked for. */
  readonly sinceSuspectsMs: number;
  /** Something stayed open for too long: nothing of what is claimed counts until it is answered. */
  readonly expired: boolean;
  /** How the last visit ended, if it did not bring all answers. */
  readonly visit: "answered" | "refused" | "offline";
  readonly atMs: number;
  readonly provenAtMs: number | null;
  readonly leaves: number;
  readonly wholes: number;
}

/** The answer to one item; `none` when none came. */
export type Verdict = "right" | "wrong" | "none";

export interface AuditTimes {
  /** Between rounds. */
  readonly everyMs: number;
  /** A question that is open through so much presence has failed. */
  readonly patienceMs: number;
}

export function newProgress(storeId: StoreId, sinceRoundMs: number): AuditProgress {
  return {
    storeId,
    ...{ round: 0, nonce: "", sinceRoundMs, open: [], presentMs: 0 },
    census: { groups: [], after: null },
    ...{ suspects: [], sinceSuspectsMs: 0, expired: false, visit: "answered" },
    ...{ atMs: 0, provenAtMs: null, leaves: 0, wholes: 0 },
  };
}

/**
 * The holder says to have another store. What was proven and what is open was about the former one.
 * What it lost stays lost until it answers for it, and the time for which it owes an answer goes
 * on: else a holder would be rid of both by a new name of its store.
 *
 * @param sinceRoundMs - How long ago the last round would have been.
 */
export function inStore(
  progress: AuditProgress,
  storeId: StoreId,
  sinceRoundMs: number,
): AuditProgress {
  if (progress.storeId === storeId) return progress;
  const { nonce, presentMs, suspects, sinceSuspectsMs, expired, visit, atMs } = progress;
  const kept = { nonce, presentMs, suspects, sinceSuspectsMs, expired, visit, atMs };
  return { ...newProgress(storeId, sinceRoundMs), ...kept };
}

/** Running time has passed. @param isThere - Whether the holder could be asked meanwhile. */
export function elapse(
  progress: AuditProgress,
  elapsedMs: number,
  isThere: boolean,
  { patienceMs }: AuditTimes,
): AuditProgress {
  const presentMs = progress.presentMs + (isThere && isWaiting(progress) ? elapsedMs : 0);
  return {
    ...progress,
    presentMs,
    sinceRoundMs: progress.sinceRoundMs + elapsedMs,
    sinceSuspectsMs: progress.sinceSuspectsMs + elapsedMs,
    expired: progress.expired || presentMs >= patienceMs,
  };
}

/** Whether something was asked and not answered. */
export function isOpen({ open, census }: AuditProgress): boolean {
  return open.length > 0 || census.groups.length > 0;
}

/** Whether the holder still owes something: an answer, or a second one for what it had not. */
function isWaiting(progress: AuditProgress): boolean {
  return isOpen(progress) || progress.suspects.some(({ times }) => times < TIMES_LOST);
}

/** The next round begins only when the one before was answered. */
export function isRoundDue(progress: AuditProgress, { everyMs }: AuditTimes): boolean {
  return !isOpen(progress) && progress.sinceRoundMs >= everyMs;
}

export function putRound(
  progress: AuditProgress,
  nonce: string,
  items: readonly AuditItem[],
): AuditProgress {
  const { round } = progress;
  return { ...progress, round: round + 1, nonce, open: items, sinceRoundMs: 0 };
}

/** Answers to open items. @param nowMs - Wall time, for display. */
export function judgeOpen(
  progress: AuditProgress,
  answers: readonly { readonly item: AuditItem; readonly verdict: Verdict }[],
  nowMs: number,
): AuditProgress {
  const answered = new Set(answers.filter(({ verdict }) => verdict !== "none").map(nameOf));
  const right = answers.filter(({ verdict }) => verdict === "right");
  const wrong = answers.filter(({ verdict }) => verdict === "wrong").map(({ item }) => item);
  const wholes = right.filter(({ item }) => item.leaf === null).length;
  const failedGroups = wrong.map(({ group }) => group);
  const groups = [...new Set([...progress.census.groups, ...failedGroups])];
  return settled(
    {
      ...progress,
      open: progress.open.filter((item) => !answered.has(nameOf({ item }))),
      census: { ...progress.census, groups },
      suspects: suspected(progress.suspects, wrong),
      leaves: progress.leaves + right.length - wholes,
      wholes: progress.wholes + wholes,
      ...(wrong.length > 0 ? { sinceSuspectsMs: 0 } : {}),
    },
    nowMs,
  );
}

/**
 * Answers of the group that is asked shard by shard.
 *
 * @param after - The last shard that was answered; null: the group is done.
 */
export function judgeCensus(
  progress: AuditProgress,
  answers: readonly { readonly item: AuditItem; readonly verdict: Verdict }[],
  after: ShardId | null,
  nowMs: number,
): AuditProgress {
  const wrong = answers.filter(({ verdict }) => verdict === "wrong").map(({ item }) => item);
  const right = answers.filter(({ verdict }) => verdict === "right").length;
  const groups = after === null ? progress.census.groups.slice(1) : progress.census.groups;
  return settled(
    {
      ...progress,
      census: { groups, after },
      suspects: suspected(progress.suspects, wrong),
      wholes: progress.wholes + right,
      ...(wrong.length > 0 ? { sinceSuspectsMs: 0 } : {}),
    },
    nowMs,
  );
}

/** Answers for suspects: right ones are cleared, wrong ones counted. */
export function judgeSuspects(
  progress: AuditProgress,
  answers: readonly { readonly shard: ShardId; readonly verdict: Verdict }[],
  nowMs: number,
): AuditProgress {
  const verdicts = new Map(answers.map(({ shard, verdict }) => [shard, verdict]));
  const suspects = progress.suspects.flatMap((suspect) => {
    const verdict = verdicts.get(suspect.shard) ?? "none";
    if (verdict === "right") return [];
    return [verdict === "wrong" ? { ...suspect, times: suspect.times + 1 } : suspect];
  });
  return settled({ ...progress, suspects, sinceSuspectsMs: 0 }, nowMs);
}

/** A visit brought no answers. */
export function unanswered(
  progress: AuditProgress,
  visit: "refused" | "offline",
  nowMs: number,
): AuditProgress {
  return progress.visit === visit ? progress : { ...progress, visit, atMs: nowMs };
}

/**
 * What the owner took out of its lists need not be answered any more.
 *
 * @param isListed - Whether the newest list still names the shard.
 */
export function dropUnlisted(
  progress: AuditProgress,
  isListed: (group: number, shard: ShardId) => boolean,
): AuditProgress {
  const keep = ({ group, shard }: { readonly group: number; readonly shard: ShardId }): boolean =>
    isListed(group, shard);
  return {
    ...progress,
    open: progress.open.filter(keep),
    suspects: progress.suspects.filter(keep),
  };
}

/** Everything is answered: what had expired is forgiven, and the holder is proven. */
function settled(progress: AuditProgress, nowMs: number): AuditProgress {
  const before = outcomeOf(progress);
  const visited: AuditProgress = { ...progress, visit: "answered" };
  const done = isWaiting(visited) ? visited : { ...visited, presentMs: 0, expired: false };
  const isProven = !isOpen(done) && done.suspects.length === 0;
  const after = outcomeOf(done);
  return {
    ...done,
    atMs: after === before && done.atMs > 0 ? done.atMs : nowMs,
    provenAtMs: isProven ? nowMs : done.provenAtMs,
  };
}

export function outcomeOf(progress: AuditProgress): AuditOutcome {
  if (progress.expired || progress.suspects.length > 0) return "failed";
  return progress.visit === "answered" ? "proven" : progress.visit;
}

/**
 * What is lost by this asker's word.
 *
 * @param claimed - What the holder says to have, by group.
 */
export function lossOf(
  { expired, suspects }: AuditProgress,
  claimed: readonly { readonly group: number; readonly shards: number }[],
): { readonly shards: number; readonly groups: readonly number[] } {
  if (expired) {
    const shards = claimed.reduce((sum, one) => sum + one.shards, 0);
    return { shards, groups: claimed.map(({ group }) => group) };
  }
  const lost = suspects.filter(({ times }) => times >= TIMES_LOST);
  return { shards: lost.length, groups: [...new Set(lost.map(({ group }) => group))] };
}

function suspected(before: readonly Suspect[], wrong: readonly AuditItem[]): readonly Suspect[] {
  const suspects = new Map(before.map((suspect) => [suspect.shard, suspect]));
  for (const { group, shard, sizeBytes } of wrong) {
    if (suspects.has(shard) || suspects.size >= MAX_SUSPECTS) continue;
    suspects.set(shard, { group, shard, sizeBytes, times: 1 });
  }
  return [...suspects.values()];
}

function nameOf({ item }: { readonly item: AuditItem }): string {
  return `${item.shard}/${item.leaf}`;
}
