/** One round of one program: everything it has to do, once. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Contestant } from "./backup-contestant.ts";
import { changeTree, sizeOfTree, type TreeSize } from "./backup-data.ts";
import { measure, run, type CommandLine, type Measured } from "./backup-measure.ts";
import type { Figures } from "./backup-work.ts";

/** A directory to back up, and what a restore has to bring back. */
export interface Source extends TreeSize {
  readonly path: string;
}

export interface Sources {
  readonly small: Source;
  readonly large: Source;
}

/** Told of each command that has ended. */
export type OnStep = (step: string, measured: Measured) => void;

export async function playRound(
  contestant: Contestant,
  { small, large }: Sources,
  scratch: string,
  onStep: OnStep,
): Promise<Figures> {
  const of = (kind: string, source: Source): Promise<Played> => {
    return playStore(contestant, source, scratch, (step, measured) => {
      onStep(`${kind}, ${step}`, measured);
    });
  };
  const ofSmall = await of("small", small);
  const ofLarge = await of("large", large);
  const runs = [ofSmall, ofLarge].flatMap(({ first, unchanged, changed }) => {
    return [first, unchanged, changed];
  });
  return {
    smallFirst: ofSmall.first.seconds,
    smallUnchanged: ofSmall.unchanged.seconds,
    smallChanged: ofSmall.changed.seconds,
    smallStored: ofSmall.storedBytes,
    smallRestore: ofSmall.restore.seconds,
    largeFirst: ofLarge.first.seconds,
    largeUnchanged: ofLarge.unchanged.seconds,
    largeChanged: ofLarge.changed.seconds,
    largeStored: ofLarge.storedBytes,
    largeRestore: ofLarge.restore.seconds,
    peakMemory: Math.max(...runs.map(({ peakBytes }) => peakBytes)),
    restoreMemory: Math.max(ofSmall.restore.peakBytes, ofLarge.restore.peakBytes),
  };
}

type Timed = (step: string, command: CommandLine) => Promise<Measured>;

interface Played {
  readonly first: Measured;
  readonly unchanged: Measured;
  readonly changed: Measured;
  readonly storedBytes: number;
  readonly restore: Measured;
}

/** Opens a store, fills it three times, restores it, looks at both, and removes everything. */
async function playStore(
  contestant: Contestant,
  { path }: Source,
  scratch: string,
  onStep: OnStep,
): Promise<Played> {
  const folder = await mkdtemp(join(scratch, "store-"));
  const target = join(folder, "restored");
  await mkdir(target);
  const timed: Timed = async (step, command) => {
    // What was written before is not to be paid for by the one who comes next.
    await run({ words: ["sync"] });
    const measured = await measure(command, folder);
    onStep(step, measured);
    return measured;
  };
  const store = await contestant.open(folder, path);
  try {
    const first = await timed("first backup", store.backup());
    const storedBytes = (await sizeOfTree(store.stored)).bytes;
    const unchanged = await timed("nothing changed", store.backup());
    await changeTree(path);
    const changed = await timed("1 % changed", store.backup());
    const restore = await timed("restore", store.restore(target));
    await check(target, await sizeOfTree(path));
    return { first, unchanged, changed, storedBytes, restore };
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A program that brings less back is no match. */
async function check(target: string, source: TreeSize): Promise<void> {
  const { files, bytes } = await sizeOfTree(target);
  if (files === source.files && bytes === source.bytes) return;
  throw new Error(
    `restored ${files} files with ${bytes} bytes of ${source.files} with ${source.bytes}`,
  );
}
