/**
 * What happens in one round: which work is under way, whom it meets, and when. A function of seed
 * and round alone, so that a round can be looked at again; the machine's own timing it cannot
 * repeat.
 */
import { SeededRandom } from "../fakes/seeded-random.ts";

/**
 * `backup` and `portions`: a run of the client, in one list or in several. `transfer`: a run has
 * ended, its shards are on their way. `forget`: snapshots leave the lists. `collect`: holders and
 * owner delete what is due. `restore`: of any snapshot that was reported as stored.
 */
export const WORKS = ["backup", "portions", "transfer", "forget", "collect", "restore"] as const;
export type Work = (typeof WORKS)[number];
/** `client` is the command that runs; a site that is hit takes the commands on it along. */
export type Victim = "client" | "owner" | "holder" | "all";

export interface RoundPlan {
  readonly round: number;
  readonly work: Work;
  readonly manner: "kill" | "cut";
  readonly victim: Victim;
  /** Which of the holders, as a number that is taken modulo their count. */
  readonly holder: number;
  /** When it happens, as a part of the time that the work takes undisturbed: 0 to 1.2. */
  readonly moment: number;
  /** Days by which the running time of the sites that were hit goes on while they are down. */
  readonly daysDown: number;
  /** Whether what was written and not synced may reach the disk in any order after the cut. */
  readonly mode: "ordered" | "writeback";
  /** For the changes of the data set and the choice of a snapshot. */
  readonly random: SeededRandom;
}

/** More than the longest lock of these tests and the trash together. */
export const LONG_DAYS = 60;
const SHARES: Readonly<Record<Work, number>> = {
  backup: 0.24,
  portions: 0.2,
  transfer: 0.22,
  forget: 0.1,
  collect: 0.06,
  restore: 0.18,
};

/** @param round - From 1. Of all rounds `cuts` are power cuts, evenly spread. */
export function planRound(seed: number, round: number, kills: number, cuts: number): RoundPlan {
  const random = new SeededRandom(Math.imul(seed, 1_000_003) + round);
  const share = cuts / (kills + cuts);
  const isCut = Math.floor(round * share) > Math.floor((round - 1) * share);
  const work = drawWork(random);
  return {
    round,
    work,
    manner: isCut ? "cut" : "kill",
    victim: random.pick(victimsOf(work, isCut)),
    holder: random.below(2 ** 16),
    moment: random.between(0, 1.2),
    daysDown: work === "collect" || random.chance(0.2) ? LONG_DAYS : 0,
    mode: random.pick(["ordered", "writeback"]),
    random: random.fork(),
  };
}

function drawWork(random: SeededRandom): Work {
  let left = random.next();
  for (const work of WORKS) {
    left -= SHARES[work];
    if (left < 0) return work;
  }
  return "backup";
}

/** A command has no disk to lose; shards on their way and collecting have no command. */
function victimsOf(work: Work, isCut: boolean): readonly Victim[] {
  const hasCommand = work !== "transfer" && work !== "collect";
  return [
    ...(hasCommand && !isCut ? (["client"] as const) : []),
    ...(["owner", "holder", "all"] as const),
  ];
}
