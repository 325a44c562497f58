/** Opens a state that scale-state.ts has stored, in a process of its own, and tells its size. */
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { State } from "../../daemon/state/state.ts";
import { testKey } from "../../test-mesh/fakes/founding.ts";

const [directory = ""] = process.argv.slice(2);
const before = process.memoryUsage.rss();
const startMs = performance.now();
const store = await openLevelStore({ directory, log: silentLogger, ballastBytes: 0 });
const siteKey = testKey("site-0");
const state = await State.open({ store, clock: systemClock, log: silentLogger, siteKey });
const openMs = Math.round(performance.now() - startMs);
const view = state.view();
const records = view.entries("site").length + view.entries("zone").length;
globalThis.gc?.();
const residentBytes = process.memoryUsage.rss();
console.log(
  JSON.stringify({
    records,
    logs: state.logHeads().length,
    openMs,
    residentBytes,
    grownBytes: residentBytes - before,
  }),
);
await state.close();
await store.close();
