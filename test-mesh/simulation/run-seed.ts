/**
 * Runs one seed: any faults first, then healing, then every invariant.
 */
import { clockFaults } from "./faults/clock-faults.ts";
import { diskFaults, startSite } from "./faults/disk-faults.ts";
import { forkingAuthor } from "./faults/forking-author.ts";
import { forger } from "./faults/forger.ts";
import { hostileAuthor } from "./faults/hostile-author.ts";
import { imports } from "./faults/imports.ts";
import { honestOperators } from "./faults/honest-operators.ts";
import { networkFaults } from "./faults/network-faults.ts";
import { partings } from "./faults/partings.ts";
import { rogueOperator } from "./faults/rogue-operator.ts";
import { writes } from "./faults/writes.ts";
import { heal } from "./heal.ts";
import { INVARIANTS } from "./invariants/all.ts";
import type { Fault } from "./world.ts";
import { World } from "./world.ts";

/** Faults of one run; with the pauses between them some five minutes. */
const FAULTS = 110;
const PAUSE_MS = [10, 5_000] as const;

const faults: readonly Fault[] = [
  ...writes,
  ...imports,
  ...networkFaults,
  ...diskFaults,
  ...clockFaults,
  ...hostileAuthor,
  ...forkingAuthor,
  ...forger,
  ...honestOperators,
  ...rogueOperator,
  ...partings,
];
const totalWeight = faults.reduce((sum, { weight }) => sum + weight, 0);

export interface SeedResult {
  readonly seed: number;
  /** What does not hold, and where it was seen; undefined when all does. */
  readonly violation: string | undefined;
  /** How long the mesh lived, by its own time. */
  readonly simulatedMs: number;
  readonly reached: Readonly<Record<string, number>>;
}

export async function runSeed(seed: number): Promise<SeedResult> {
  const world = await World.form(seed);
  let violation: string | undefined;
  let stage = "while faults happen";
  try {
    for (let count = 0; count < FAULTS; count++) {
      const [first] = world.honest;
      if (world.up.length === 0 && first !== undefined) {
        await world.time.resolve(startSite(world, first));
      }
      await world.time.resolve(Promise.resolve(draw(world).happen(world)));
      await world.time.advance(world.random.between(...PAUSE_MS));
    }
    stage = "while it heals";
    const healed = await heal(world);
    for (const [name, holds] of Object.entries(INVARIANTS)) {
      stage = name;
      await holds(healed);
    }
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    violation = `${stage}: ${text}`;
  }
  return {
    seed,
    violation,
    simulatedMs: world.time.nowMs,
    reached: Object.fromEntries(world.sometimes.counts),
  };
}

function draw({ random }: World): Fault {
  let at = random.next() * totalWeight;
  for (const fault of faults) {
    at -= fault.weight;
    if (at < 0) return fault;
  }
  throw new RangeError("weights that do not add up");
}
