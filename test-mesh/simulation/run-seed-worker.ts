/** Runs the seeds that its parent process sends, one after another. */
import { rememberSignatures } from "./remember-signatures.ts";
import { runSeed } from "./run-seed.ts";

rememberSignatures();

process.on("message", (seed: number) => {
  void runSeed(seed).then((result) => process.send?.(result));
});
