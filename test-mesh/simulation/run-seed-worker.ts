/** Runs the seeds that its parent process sends, one after another. */
import { runSeed } from "./run-seed.ts";

process.on("message", (seed: number) => {
  void runSeed(seed).then((result) => process.send?.(result));
});
