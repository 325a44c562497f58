/**
 * The copy that is verified: the files of this machine, or what one holder gives.
 *
 * What is not sound here is asked of the holders, one after another; the daemon keeps the first
 * good copy in the place of the bad one. So a verification ends with the copy whole, or with the
 * names of the shards of which no good copy could be found.
 */
import { PleachError } from "../../../../protocol/error.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { verifyShard } from "../../../../protocol/backup/shard.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { BackupError } from "../error.ts";
import { readLocalShard } from "../local-shard.ts";
import type { ShardSource } from "../port.ts";
import type { CheckKeys } from "./shard-check.ts";

/** A site that should have a copy. */
export interface CopyHolder {
  readonly name: string;
  /**
   * The verified shard; undefined when that site does not give it.
   *
   * @param keep - Whether it takes the place of what is not sound here.
   */
  give(shard: ShardId, keep: boolean): Promise<Uint8Array | undefined>;
}

export interface ShardProblem {
  readonly shard: ShardId;
  /** `wrong`: sound by its name, and not what the index says; no copy is better. */
  readonly state: "missing" | "damaged" | "wrong";
  /** Name of the holder that gave a good copy; null when none did. */
  readonly goodAt: string | null;
  /** Whether that copy is here now. */
  readonly isHealed: boolean;
}

export interface CopyPlan {
  readonly keys: CheckKeys;
  /** Of the local store; undefined where a holder is verified. */
  readonly folder: string | undefined;
  /** Those that are asked for what is not sound; or the only one that is verified. */
  readonly holders: readonly CopyHolder[];
  /** Whether good copies take the place of bad ones. */
  readonly heal: boolean;
}

export class VerifiedCopy implements ShardSource {
  readonly #plan: CopyPlan;
  readonly #problems = new Map<ShardId, ShardProblem>();

  constructor(plan: CopyPlan) {
    this.#plan = plan;
  }

  get problems(): readonly ShardProblem[] {
    return [...this.#problems.values()];
  }

  /** Those of which no good copy was found. */
  get lost(): ReadonlySet<ShardId> {
    return new Set(this.problems.flatMap(({ shard, goodAt }) => (goodAt === null ? [shard] : [])));
  }

  /**
   * A sound copy, for who has to read on.
   *
   * @throws BackupError E-BACKUP-STORE when there is none.
   */
  async get(shard: ShardId): Promise<Uint8Array> {
    const { folder } = this.#plan;
    const known = this.#problems.get(shard);
    if (known !== undefined && known.goodAt === null) throw noneLeft(shard);
    const bytes =
      folder === undefined ? undefined : readLocalShard(folder, shard, new Uint8Array(SHARD_BYTES));
    if (bytes !== undefined && this.#isSound(shard, bytes)) return bytes;
    const good = await this.fetch(shard, bytes === undefined ? "missing" : "damaged");
    if (good === undefined) throw noneLeft(shard);
    return good;
  }

  /** A copy from a holder; what was wrong here is noted. Undefined when nobody gives it. */
  async fetch(shard: ShardId, state: "missing" | "damaged"): Promise<Uint8Array | undefined> {
    const { holders, heal, folder } = this.#plan;
    const isRemote = folder === undefined;
    for (const holder of holders) {
      const bytes = await holder.give(shard, heal && !isRemote);
      if (bytes === undefined || !this.#isSound(shard, bytes)) continue;
      if (!isRemote) this.#note({ shard, state, goodAt: holder.name, isHealed: heal });
      return bytes;
    }
    this.#note({ shard, state, goodAt: null, isHealed: false });
    return undefined;
  }

  /** The shard contradicts itself. */
  noteWrong(shard: ShardId): void {
    this.#note({ shard, state: "wrong", goodAt: null, isHealed: false });
  }

  #note(problem: ShardProblem): void {
    // Healed and read again, it would be found sound: the first word stays.
    if (!this.#problems.has(problem.shard)) this.#problems.set(problem.shard, problem);
  }

  #isSound(shard: ShardId, bytes: Uint8Array): boolean {
    const { owner, set } = this.#plan.keys;
    try {
      verifyShard(owner, set, shard, bytes);
      return true;
    } catch (error) {
      if (error instanceof PleachError) return false;
      throw error;
    }
  }
}

function noneLeft(shard: ShardId): BackupError {
  return new BackupError("E-BACKUP-STORE", `No good copy of shard ${shard} was found.`, {
    hint: "See which sites are there with: pleach peers",
  });
}
