/** One round of one program: everything it has to do, once. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Contestant, Repository } from "./backup-contestant.ts";
import { sizeOfTree, type TreeSize } from "./backup-data.ts";
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

export async function playRound(
  contestant: Contestant,
  { small, large }: Sources,
  scratch: string,
): Promise<Figures> {
  const ofSmall = await withStore(contestant, small, scratch, async (store, timed) => {
    const first = await timed(store.backup());
    const unchanged = await timed(store.backup());
    return { first, unchanged };
  });
  const ofLarge = await withStore(contestant, large, scratch, async (store, timed) => ({
    first: await timed(store.backup()),
  }));
  return {
    smallFirst: ofSmall.first.seconds,
    largeFirst: ofLarge.first.seconds,
    unchanged: ofSmall.unchanged.seconds,
    smallStored: ofSmall.storedBytes,
    largeStored: ofLarge.storedBytes,
    smallRestore: ofSmall.restore.seconds,
    largeRestore: ofLarge.restore.seconds,
    peakMemory: Math.max(
      ...[ofSmall.first, ofSmall.unchanged, ofLarge.first].map(({ peakBytes }) => peakBytes),
    ),
  };
}

type Timed = (command: CommandLine) => Promise<Measured>;

/** Opens a store, has it filled, restores it, looks at both, and removes everything. */
async function withStore<T>(
  contestant: Contestant,
  source: Source,
  scratch: string,
  fill: (store: Repository, timed: Timed) => Promise<T>,
): Promise<T & { readonly storedBytes: number; readonly restore: Measured }> {
  const folder = await mkdtemp(join(scratch, "store-"));
  const target = join(folder, "restored");
  await mkdir(target);
  const timed: Timed = async (command) => {
    // What was written before is not to be paid for by the one who comes next.
    await run({ words: ["sync"] });
    return measure(command, folder);
  };
  const store = await contestant.open(folder, source.path);
  try {
    const filled = await fill(store, timed);
    const storedBytes = (await sizeOfTree(store.stored)).bytes;
    const restore = await timed(store.restore(target));
    await check(target, source);
    return { ...filled, storedBytes, restore };
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A program that brings less back is no match. */
async function check(target: string, source: Source): Promise<void> {
  const { files, bytes } = await sizeOfTree(target);
  if (files === source.files && bytes === source.bytes) return;
  throw new Error(
    `restored ${files} files with ${bytes} bytes of ${source.files} with ${source.bytes}`,
  );
}
