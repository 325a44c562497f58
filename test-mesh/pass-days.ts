/** Running time of a holder that passes while its daemon does not run: what locks and trash count. */
import { join } from "node:path";
import { RUNNING_TIME_KEY } from "../daemon/backup/keep/running-time.ts";
import { silentLogger } from "../daemon/observe/log.ts";
import { openLevelStore } from "../daemon/state/level-store.ts";

const DAY_MS = 86_400_000;

/** Writes into the store of a site that does not run that it has run for so many days more. */
export async function passDays(dataDirectory: string, days: number): Promise<void> {
  const directory = join(dataDirectory, "state");
  const store = await openLevelStore({ directory, log: silentLogger });
  try {
    const value = await store.get(RUNNING_TIME_KEY);
    const ms = value === undefined ? 0 : Number(Buffer.from(value).toString("latin1"));
    const later = Buffer.from(String(ms + days * DAY_MS), "latin1");
    await store.write([{ kind: "put", key: RUNNING_TIME_KEY, value: later }], "durable");
  } finally {
    await store.close();
  }
}
