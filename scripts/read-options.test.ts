import { equal, match } from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runProcess } from "../test-mesh/run-process.ts";

describe("the options of programs in scripts/", () => {
  for (const program of ["bench/dns-main.ts", "bench/scale-main.ts", "mutate-shards.ts"]) {
    it(`${program} tells an unknown option in one sentence`, async () => {
      const words = [join(import.meta.dirname, program), "--unknown"];
      const { exit, stdout, stderr } = await runProcess(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        ...words,
      ]);
      equal(exit, 2);
      equal(stdout, "");
      match(stderr, /^error E-USAGE: Unknown option '--unknown'[^\n]*\nNothing was run[^\n]*\n$/);
    });
  }
});
