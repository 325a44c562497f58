/**
 * Started as a process of its own by tebibyte-main.ts, with the directory of a store: what the
 * lists in it take of the memory of a daemon. Prints one JSON object.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ListStore } from "../../daemon/backup/store/lists/list-store.ts";
import { wholesInTurn, type AuditItem } from "../../daemon/core/backup/audit-choice.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { State } from "../../daemon/state/state.ts";
import { FactsReader } from "../../daemon/core/backup/group-facts.ts";
import { placesIn } from "../../daemon/core/backup/published.ts";
import { testKey } from "../../test-mesh/fakes/founding.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";

export interface MemoryFigures {
  /** After the start. */
  readonly restBytes: number;
  /** More for the replicated state with the records of the set, all of them unpacked. */
  readonly stateBytes: number;
  /** More while a list is read. */
  readonly workBytes: number;
  /** More while a round of audits is open at each of three holders. */
  readonly roundsBytes: number;
  /** Of the whole process then, with Node and all of its code. */
  readonly residentBytes: number;
  /** What is asked in these rounds. */
  readonly openItems: number;
}

const WHOLE_ROUNDS = 30;
const ASKED_HOLDERS = 3;

async function main(directory: string): Promise<void> {
  const store = await openLevelStore({ directory, log: silentLogger });
  // Code is loaded and compiled by a first look, which is not what is measured.
  const first = await ListStore.open(store, () => 0);
  for (const { header } of first.all()) await first.load(header.owner, header.set, header.group);
  const emptyBytes = await usedBytes();
  const lists = await ListStore.open(store, () => 0);
  const restBytes = (await usedBytes()) - emptyBytes;
  const siteKey = testKey("reader");
  const state = await State.open({ store, clock: systemClock, log: silentLogger, siteKey });
  const unpacked = [...placesIn(state.view())].flatMap(({ set, author, place }) => {
    const members = new Set(state.authority().sites.keys());
    return new FactsReader(state.view(), members).set({ owner: place.owner, set, by: author });
  });
  const stateBytes = (await usedBytes()) - emptyBytes - restBytes;
  if (unpacked.length !== lists.all().length) throw new Error("not all groups are published");
  const heldBytes = emptyBytes + restBytes + stateBytes;
  const rounds: AuditItem[] = [];
  let workBytes = 0;
  for (const { header } of lists.all()) {
    const list = await lists.load(header.owner, header.set, header.group);
    if (list === undefined) throw new Error("a list that was just written is damaged");
    const held = rounds.length;
    if (held === 0) workBytes = (await usedBytes()) - heldBytes;
    for (let holder = 0; holder < ASKED_HOLDERS; holder++) {
      // Each pair has its own objects: what one asker reads of a list is not shared.
      const items = wholesInTurn(header.group, list.entries, 1, WHOLE_ROUNDS);
      rounds.push(...structuredClone(items));
    }
  }
  const roundsBytes = (await usedBytes()) - heldBytes;
  const openItems = rounds.length;
  const residentBytes = process.memoryUsage.rss();
  const figures: MemoryFigures = {
    restBytes,
    stateBytes,
    workBytes,
    roundsBytes,
    residentBytes,
    openItems,
  };
  console.log(JSON.stringify(figures));
  await state.close();
  await store.close();
}

async function usedBytes(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error("needs node --expose-gc; see the script");
  for (let round = 0; round < 3; round++) {
    globalThis.gc();
    await sleep(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

await main(process.argv[2] ?? "");
