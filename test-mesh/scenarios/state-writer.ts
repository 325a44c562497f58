/**
 * A process that writes records as fast as it can, and says each number once it is acknowledged.
 * It is made to be killed.
 *
 * Usage: state-writer.ts DIRECTORY FIRST-NUMBER
 */
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { State } from "../../daemon/state/state.ts";
import { Founding, testKey } from "../fakes/founding.ts";

const [directory, first] = process.argv.slice(2);
if (directory === undefined || first === undefined) throw new Error("DIRECTORY FIRST-NUMBER");

const founding = new Founding("kill");
founding.enrol("quimper");
const store = await openLevelStore({ directory, log: silentLogger, ballastBytes: 4096 });
const siteKey = testKey("quimper");
const state = await State.open({ store, clock: systemClock, log: silentLogger, siteKey });
await state.addStatements(founding.statements);

for (let number = Number(first); ; number++) {
  // Every seventh is deleted again by the one after it.
  await state.write([
    { class: "note", key: `note/${number}`, value: number },
    { class: "note", key: `note/${number - 1}`, value: number % 7 === 1 ? undefined : number },
  ]);
  process.stdout.write(`${number}\n`);
}
