/** The verdict on shorter retention locks: every node shows what is pending at any holder. */
import type { OwnerId, SetId, StatementId } from "../../../protocol/ids.ts";
import type { Authority } from "../authority/authority.ts";
import { pendingLocks } from "../backup/pending-locks.ts";
import type { View } from "../logs/view.ts";
import { plural, type Finding } from "./status-finding.ts";

/** What one DELEGATE with a shorter lock changes. */
export interface LockFacts {
  /** The name of the owner. */
  readonly owner: string;
  /** The data sets that it is about, as holders tell; one or more. */
  readonly sets: readonly SetId[];
  /** The longest lock that counts still. */
  readonly fromDays: number;
  readonly toDays: number;
  /** Holders that tell of it. */
  readonly holders: number;
  /** Until it counts at the first of them. */
  readonly leftDays: number;
  readonly isObjected: boolean;
}

interface Gathered extends Omit<LockFacts, "sets" | "holders"> {
  readonly sets: Set<SetId>;
  readonly holders: Set<string>;
}

/** One for each DELEGATE. */
export function lockFacts(view: View, authority: Authority): readonly LockFacts[] {
  const found = new Map<`${OwnerId}/${StatementId}`, Gathered>();
  for (const one of pendingLocks(view, authority)) {
    const key = `${one.owner}/${one.statement}` as const;
    const before = found.get(key);
    found.set(key, {
      owner: authority.owners.get(one.owner)?.name ?? one.owner.slice(0, 8),
      sets: (before?.sets ?? new Set()).add(one.set),
      fromDays: Math.max(before?.fromDays ?? 0, one.days),
      toDays: one.wantedDays,
      holders: (before?.holders ?? new Set()).add(one.site),
      leftDays: Math.min(before?.leftDays ?? one.leftDays, one.leftDays),
      isObjected: one.objections.length > 0,
    });
  }
  return [...found.values()].map((one) => {
    return { ...one, sets: [...one.sets], holders: one.holders.size };
  });
}

/** No area where nothing is pending. */
export function lockArea(locks: readonly LockFacts[]): readonly Finding[] {
  if (locks.length === 0) return [];
  const open = locks.filter(({ isObjected }) => !isObjected);
  const objected = locks.length - open.length;
  const texts = [
    ...(open.length === 0 ? [] : [`${plural(open.length, "shorter lock")} pending`]),
    ...(objected === 0 ? [] : [`${objected} objected to, the longer lock stays`]),
  ];
  const state = open.length === 0 ? "OK" : "WARNING";
  return [
    {
      area: { name: "Locks", state, text: texts.join("; ") },
      todo: open.map((one) => todoOf(one)),
    },
  ];
}

function todoOf({ owner, sets, fromDays, toDays, leftDays, holders }: LockFacts) {
  const [first = ""] = sets;
  const which = `${first.slice(0, 8)}${sets.length === 1 ? "" : ` and ${sets.length - 1} more`}`;
  return {
    text:
      `The key of ${owner} has signed that what leaves the lists of the data set ${which} is to be kept for ` +
      `${plural(toDays, "day")} instead of ${fromDays}; that counts in ${plural(leftDays, "day")} at ` +
      `${plural(holders, "holder")}. Ask them on the phone. If it was not they, object:`,
    command: `pleach backup object ${first.slice(0, 8)} --operator-key FILE`,
  };
}
