/**
 * The real state of a site over a fake disk, started and ended as often as a test wants.
 */
import { State } from "../../daemon/state/state.ts";
import type { Clock } from "../../daemon/core/clock.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";
import { FakeTime } from "./clock.ts";
import { testKey } from "./founding.ts";
import { FakeDisk } from "./store.ts";

let starts = 0;

/**
 * Starts the state of the site `testKey(name)`. Each start draws other random bytes, as a real
 * process does.
 */
export function startState(
  name: string,
  disk: FakeDisk = new FakeDisk(),
  clock: Clock = new FakeTime(++starts).clock(),
): Promise<State> {
  return State.open({ store: disk.open(), clock, log: silentLogger, siteKey: testKey(name) });
}

/** A fresh node that knows these statements. */
export async function startMember(
  name: string,
  statements: readonly SignedStatement[],
  disk: FakeDisk = new FakeDisk(),
): Promise<State> {
  const state = await startState(name, disk);
  await state.addStatements(statements);
  return state;
}

/** All entries that a node holds, as bytes that travel. */
export async function entriesOf(state: State): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (const { log } of state.logHeads()) {
    for await (const bytes of state.replica.envelopesFrom(log, 0)) all.push(bytes);
  }
  return all;
}

/** Brings everything that one node has to another, as replication would. */
export async function bring(from: State, to: State): Promise<void> {
  for (const id of from.replica.statementIds()) {
    const bytes = from.replica.statement(id);
    if (bytes !== undefined) await to.replica.receiveStatement(bytes, from.siteId);
  }
  for (const { log } of from.logHeads()) {
    for await (const bytes of from.replica.headersOf(log, 0, "snapshots")) {
      await to.replica.receiveHeader(bytes, from.siteId);
    }
    const after = to.replica.wantedAfter(log);
    if (after !== undefined) {
      for await (const bytes of from.replica.envelopesFrom(log, after)) {
        await to.replica.receiveEnvelope(bytes, from.siteId);
      }
    }
    const { shows = [] } = from.replica.position(log) ?? {};
    for (const stretch of to.replica.stretchesWanted(log, shows)) {
      for await (const bytes of from.replica.envelopesFrom(log, stretch.from - 1)) {
        await to.replica.receiveEnvelope(bytes, from.siteId);
      }
    }
    if (after === undefined) continue;
    if (to.replica.position(log)?.head === from.replica.position(log)?.head) continue;
    for await (const bytes of from.replica.headersOf(log, 0, "entries")) {
      await to.replica.receiveHeader(bytes, from.siteId);
    }
  }
}
