/**
 * Builds the documents at a start so that no log can end the daemon at every start.
 *
 * What was taken in once is built again at each start, by a program that may have changed since. One
 * mark says that a start is under way. A start that finds it is careful: it marks each log before it
 * builds it, and shuts away the one that three such starts died of.
 */
import { parseId, type LogId } from "../../protocol/ids.ts";
import { prefixRange, type Store, type StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import type { HeldLog } from "./held-log.ts";

const STARTING = "start/under-way";
const BUILDING = prefixRange("start/log/");
const SHUT = prefixRange("shut/");
/** A power cut may hit one log by chance, hardly three times. */
const MAX_DEATHS = 3;

/** Logs that are shut away are held and passed on, and not shown. */
export async function buildAtStart(
  store: Store,
  logs: readonly HeldLog[],
  log: Logger,
  build: (held: HeldLog) => Promise<void>,
): Promise<void> {
  const careful = (await store.get(STARTING)) !== undefined;
  const { shut, deaths } = await recall(store, log);
  await store.write([{ kind: "put", key: STARTING, value: new Uint8Array() }], "cached");
  for (const held of logs) {
    held.isShut = shut.has(held.log);
    if (held.isShut) continue;
    const key = BUILDING.from + held.log;
    const value = Uint8Array.of(deaths.get(held.log) ?? 0);
    if (careful) await store.write([{ kind: "put", key, value }], "cached");
    await build(held);
    if (careful) await store.write([{ kind: "delete", key }], "cached");
  }
  await store.write([{ kind: "delete", key: STARTING }], "cached");
}

/** What has to be written once a log has a new beginning. */
export function noLongerShut(log: LogId): StoreChange {
  return { kind: "delete", key: SHUT.from + log };
}

async function recall(
  store: Store,
  log: Logger,
): Promise<{ readonly shut: Set<LogId>; readonly deaths: ReadonlyMap<LogId, number> }> {
  const shut = new Set<LogId>();
  const deaths = new Map<LogId, number>();
  for await (const [key] of store.entries(SHUT)) {
    const id = parseId<LogId>(key.slice(SHUT.from.length), 16);
    if (id !== undefined) shut.add(id);
  }
  for await (const [key, value] of store.entries(BUILDING)) {
    const id = parseId<LogId>(key.slice(BUILDING.from.length), 16);
    const times = (value[0] ?? 0) + 1;
    await store.write([{ kind: "delete", key }], "cached");
    if (id === undefined) continue;
    deaths.set(id, times);
    log.warn("the daemon ended while it read a log at its start", { log: id, times });
    if (times < MAX_DEATHS) continue;
    shut.add(id);
    const mark = { kind: "put", key: SHUT.from + id, value: new Uint8Array() } as const;
    await store.write([mark], "durable");
    log.error("a log is shut away: it ended the daemon again and again", { log: id });
  }
  return { shut, deaths };
}
