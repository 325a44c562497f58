/**
 * A process that opens the state of a site and takes in what it is given, for tests in which that
 * ends the process.
 *
 *     node feed-state.ts PROGRAM DIRECTORY SITE FILE
 *
 * FILE holds `{statements, entries}` in hexadecimal. Prints what became of each entry, then the view.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type * as Founding from "../fakes/founding.ts";
import type * as LevelStore from "../../daemon/state/level-store.ts";
import type * as StateModule from "../../daemon/state/state.ts";
import type * as Statement from "../../protocol/statements/statement.ts";
import { createLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";

const [program = "", directory = "", site = "", file = ""] = process.argv.slice(2);
const load = async (path: string): Promise<unknown> => import(join(program, path));
const { openLevelStore } = (await load("daemon/state/level-store.ts")) as typeof LevelStore;
const { State } = (await load("daemon/state/state.ts")) as typeof StateModule;
const { decodeStatement } = (await load("protocol/statements/statement.ts")) as typeof Statement;
const { testKey } = (await load("test-mesh/fakes/founding.ts")) as typeof Founding;
const { statements, entries } = JSON.parse(await readFile(file, "utf8")) as Record<
  string,
  string[]
>;

const log = createLogger("warn", (line) => process.stderr.write(`${line}\n`));
const store = await openLevelStore({ directory, log });
const state = await State.open({ store, clock: systemClock, log, siteKey: testKey(site) });
await state.addStatements(
  (statements ?? []).map((hex) => decodeStatement(Buffer.from(hex, "hex"))),
);
for (const hex of entries ?? []) {
  const result = await state.replica.receiveEnvelope(
    Uint8Array.from(Buffer.from(hex, "hex")),
    state.siteId,
  );
  console.log(JSON.stringify({ result }));
}
const shown = state
  .view()
  .entries("site")
  .map(({ key, value }) => [key, value]);
console.log(JSON.stringify({ shown, digest: state.replica.stateDigest() }));
await state.close();
await store.close();
