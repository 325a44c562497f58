import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, sha256, type ShardId } from "../../../protocol/ids.ts";
import { departuresOf, mayGo, trashedAtMs, type ListChange, type Taken } from "./departures.ts";
import { DAY_MS, TRASH_MS } from "../backup/retention-lock.ts";

const POOL = Array.from({ length: 6 }, (_none, at) => idOf<ShardId>(sha256(`shard ${at}`)));
const [first] = POOL as [ShardId, ...ShardId[]];

interface Step {
  readonly atMs: number;
  readonly named: ReadonlySet<ShardId>;
}

/** The changes between lists as a holder writes them down; those that drop nothing leave none. */
function changesOf(steps: readonly Step[]): { changes: ListChange[]; newest: Taken } {
  const changes: ListChange[] = [];
  for (const [at, { named }] of steps.entries()) {
    const next = steps[at + 1];
    if (next === undefined) break;
    const left = [...named]
      .filter((shard) => !next.named.has(shard))
      .map((shard) => ({ shard, sizeBytes: 1 }));
    if (left.length === 0) continue;
    changes.push({ atMs: next.atMs, count: at + 1, left });
  }
  return { changes, newest: { count: steps.length, atMs: steps.at(-1)?.atMs ?? 0 } };
}

test("a shard goes when two lists lack it, its lock is over, and the trash was waited out", () => {
  const all = new Set(POOL);
  const rest = new Set(POOL.slice(1));
  const steps = [
    { atMs: 0, named: all },
    { atMs: DAY_MS, named: rest },
  ];
  const once = changesOf(steps);
  const one = departuresOf(once.changes, once.newest).get(first);
  assert.ok(one);
  assert.equal(one.secondMs, undefined);
  assert.ok(!mayGo(one, 0, 0, false, 1000 * DAY_MS), "the owner fell silent");

  const twice = changesOf([...steps, { atMs: 2 * DAY_MS, named: rest }]);
  const two = departuresOf(twice.changes, twice.newest).get(first);
  assert.ok(two);
  assert.equal(trashedAtMs(two, 30, 0), 31 * DAY_MS);
  assert.ok(!mayGo(two, 30, 0, false, 45 * DAY_MS - 1));
  assert.ok(mayGo(two, 30, 0, false, 45 * DAY_MS));
  assert.ok(!mayGo(two, 30, 0, true, 45 * DAY_MS), "a person was asked");
  assert.ok(!mayGo(two, 30, 40 * DAY_MS, false, 54 * DAY_MS - 1), "and agreed late");
  assert.ok(mayGo(two, 30, 40 * DAY_MS, false, 54 * DAY_MS));
});

test("a shard that was named again leaves as of the last time", () => {
  const all = new Set(POOL);
  const rest = new Set(POOL.slice(1));
  const { changes, newest } = changesOf([
    { atMs: 0, named: all },
    { atMs: DAY_MS, named: rest },
    { atMs: 2 * DAY_MS, named: rest },
    { atMs: 40 * DAY_MS, named: all },
    { atMs: 41 * DAY_MS, named: rest },
    { atMs: 42 * DAY_MS, named: rest },
  ]);
  assert.equal(departuresOf(changes, newest).get(first)?.leftMs, 41 * DAY_MS);
});

test("no history of lists lets a shard go that a list named less than lock and trash ago", () => {
  const step = fc.record({
    afterMs: fc.nat(30 * DAY_MS),
    named: fc.uniqueArray(fc.constantFrom(...POOL)),
  });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.nat(40),
      fc.nat(120 * DAY_MS),
      (raw, lockDays, waitMs) => {
        let atMs = 0;
        const steps = raw.map(({ afterMs, named }) => {
          atMs += afterMs;
          return { atMs, named: new Set(named) };
        });
        const nowMs = atMs + waitMs;
        const { changes, newest } = changesOf(steps);
        const departed = departuresOf(changes, newest);
        for (const shard of POOL) {
          const lastNaming = steps.findLastIndex(({ named }) => named.has(shard));
          const departure = departed.get(shard);
          const isGone = lastNaming >= 0 && lastNaming < steps.length - 1;
          if (isGone) assert.ok(departure);
          if (departure === undefined || !isGone) continue;
          // The plain rule, without any bookkeeping.
          const leftMs = steps[lastNaming + 1]?.atMs ?? Number.NaN;
          const lackingLists = steps.length - 1 - lastNaming;
          const isOver = nowMs - leftMs >= lockDays * DAY_MS + TRASH_MS;
          if (mayGo(departure, lockDays, 0, false, nowMs)) {
            assert.ok(isOver && lackingLists >= 2);
          }
          // And what may go is not kept for ever.
          if (lackingLists >= 2 && nowMs - atMs >= lockDays * DAY_MS + TRASH_MS) {
            assert.ok(mayGo(departure, lockDays, 0, false, nowMs));
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});
