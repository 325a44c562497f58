import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, sha256, type LogId } from "../../../protocol/ids.ts";
import { entriesEver, judgeLineage, wordOver, type LogEnd } from "./lineage.ts";

const name = (of: string): LogId => idOf<LogId>(sha256(of).subarray(0, 16));

function end(of: string, started: number, seq: number, word: Partial<LogEnd["word"]> = {}): LogEnd {
  return { log: name(of), seq, word: { started, retires: [], floor: 0, past: 0, ...word } };
}

function named(of: string, seq: number, started = 1): LogEnd["word"]["retires"][number] {
  return { log: name(of), seq, lamport: started + seq, started };
}

/** The logs that count, with the last entry that was taken up. */
function counting(logs: readonly LogEnd[]): Map<LogId, number> {
  const judged = judgeLineage(logs);
  const left = logs.flatMap(({ log, seq }) => {
    const from = judged.get(log)?.seq ?? Infinity;
    return seq > from ? [[log, from] as const] : [];
  });
  return new Map(left.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

test("a later log takes up an earlier one, and what came after that stays", () => {
  const later = end("m", 9, 1, { retires: [named("l", 5)] });
  assert.deepEqual(counting([end("l", 1, 5), later]), new Map([[name("m"), 0]]));
  const tail = counting([end("l", 1, 8), later]);
  assert.deepEqual([tail.get(name("l")), tail.get(name("m"))], [5, 0]);
});

test("an earlier log cannot take up a later one", () => {
  const logs = [end("m", 9, 3), end("l", 1, 5, { retires: [named("m", 3, 0)] })];
  assert.equal(counting(logs).size, 2);
});

test("logs below a floor are gone, whatever still comes of them", () => {
  const logs = [end("l", 1, 500), end("k", 4, 2), end("m", 9, 1, { floor: 4 })];
  assert.deepEqual([...counting(logs).keys()].toSorted(), [name("k"), name("m")].toSorted());
});

test("a newest snapshot that leaves out what earlier ones took up gives it back", () => {
  const silent = end("m", 9, 3);
  assert.equal(counting([end("l", 1, 2), silent]).size, 2);
});

test("what a box began with after it was put back to an older image is not shown again", () => {
  const main = end("n", 12, 3, { retires: [named("l", 9)] });
  const image = end("m", 10, 2, { retires: [named("l", 5)] });
  const judged = judgeLineage([image, main]);
  assert.deepEqual(judged.get(name("m")), { seq: 0, lamport: 10 });
  assert.deepEqual(judged.get(name("n")), { seq: 0, lamport: 0 });
  const apart = end("m", 10, 2, { retires: [named("l", 5), named("k", 1)] });
  assert.deepEqual(judgeLineage([apart, main]).get(name("m")), { seq: 0, lamport: 0 });
});

test("a log that was taken up whole has no say", () => {
  const logs = [
    end("k", 1, 4),
    end("l", 2, 4, { retires: [named("k", 4)], floor: 2 }),
    end("m", 3, 1, { retires: [named("l", 4, 2)] }),
  ];
  assert.deepEqual([...counting(logs).keys()].toSorted(), [name("k"), name("m")].toSorted());
});

/** Any lineage, honest or not. */
const anyLog = fc.record({
  of: fc.nat(7),
  started: fc.integer({ min: 1, max: 6 }),
  seq: fc.integer({ min: 1, max: 6 }),
  floor: fc.nat(6),
  retires: fc.uniqueArray(fc.record({ of: fc.nat(7), seq: fc.integer({ min: 1, max: 6 }) }), {
    selector: ({ of }) => of,
    maxLength: 5,
  }),
});
const anyLineage = fc.uniqueArray(anyLog, { selector: ({ of }) => of, maxLength: 8 }).map((logs) =>
  logs.map(({ of, started, seq, floor, retires }) =>
    end(`log ${of}`, started, seq, {
      floor: Math.min(floor, started),
      retires: retires
        .filter((each) => each.of !== of)
        .map((each) => named(`log ${each.of}`, each.seq)),
    }),
  ),
);

test("the order of the logs has no influence", () => {
  fc.assert(
    fc.property(anyLineage, fc.infiniteStream(fc.nat()), (logs, chance) => {
      const shuffled = logs
        .map((each) => ({ each, rank: chance.next().value ?? 0 }))
        .toSorted((a, b) => a.rank - b.rank)
        .map(({ each }) => each);
      assert.deepEqual(counting(shuffled), counting(logs));
    }),
    { numRuns: 500 },
  );
});

test("dropping logs that were taken up whole changes nothing, in any number", () => {
  fc.assert(
    fc.property(anyLineage, fc.infiniteStream(fc.boolean()), (logs, chance) => {
      const judged = counting(logs);
      const kept = logs.filter(({ log }) => judged.has(log) || chance.next().value === true);
      assert.deepEqual(counting(kept), judged);
    }),
    { numRuns: 500 },
  );
});

/** One box, its images and its doubles: what each knows of the lineage, and where it writes. */
interface Box {
  readonly known: Map<LogId, LogEnd>;
  open: LogId | undefined;
}

const anyAct = fc.record({
  box: fc.nat(2),
  what: fc.constantFrom("write", "write", "restart", "restore", "meet"),
});

/** What honest boxes with one key make of these acts: the logs as each node may know them. */
function live(acts: readonly { box: number; what: string }[], most: number) {
  const boxes: Box[] = [0, 1, 2].map(() => ({ known: new Map(), open: undefined }));
  const all: Map<LogId, LogEnd>[] = [];
  let lamport = 0;
  let images: Map<LogId, LogEnd>[] = [new Map()];
  for (const { box: at, what } of acts) {
    const box = boxes[at];
    if (box === undefined) continue;
    if (what === "restart") box.open = undefined;
    if (what === "restore") {
      box.open = undefined;
      box.known.clear();
      for (const [log, each] of images[at % images.length] ?? []) box.known.set(log, each);
    }
    if (what === "meet") {
      const other = boxes[(at + 1) % 3];
      for (const [log, each] of other?.known ?? []) {
        if (each.seq > (box.known.get(log)?.seq ?? 0)) box.known.set(log, each);
      }
    }
    if (what === "write") {
      const highest = [...box.known.values()].reduce(
        (most_, { seq, word }) => Math.max(most_, word.started + seq),
        lamport,
      );
      lamport = highest + 1;
      const held = box.open === undefined ? undefined : box.known.get(box.open);
      if (held !== undefined) {
        box.known.set(held.log, { ...held, seq: held.seq + 1 });
      } else {
        const ends = [...box.known.values()];
        const judged = judgeLineage(ends);
        const left = ends.filter(({ log, seq }) => seq > (judged.get(log)?.seq ?? Infinity));
        const earlier = left.flatMap(({ word }) => word.retires).toSorted((a, b) => a.seq - b.seq);
        const taken = new Map(earlier.map((each) => [each.log, each]));
        for (const { log, seq, word } of left) {
          taken.set(log, { log, seq, lamport: word.started + seq, started: word.started });
        }
        const floor = left.reduce((top, { word }) => Math.max(top, word.floor), 0);
        const past = entriesEver(
          left.map(({ log, seq, word }) => ({
            seq,
            from: judged.get(log)?.seq ?? 0,
            past: word.past,
          })),
        );
        const word = { started: lamport, ...wordOver([...taken.values()], floor, past, most) };
        const log = name(`${at} ${lamport}`);
        box.known.set(log, { log, seq: 1, word });
        box.open = log;
      }
    }
    all.push(new Map(box.known));
    images = [...images, new Map(box.known)].slice(-4);
  }
  return { boxes, all };
}

test("honest boxes, restarted, restored or doubled: one log is left when all have met", () => {
  fc.assert(
    fc.property(fc.array(anyAct, { maxLength: 40 }), (acts) => {
      const meet = [0, 1, 2, 0, 1, 2].map((box) => ({ box, what: "meet" }));
      const last = [
        { box: 0, what: "restart" },
        { box: 0, what: "write" },
      ];
      const { boxes } = live([...acts, ...meet, ...last], 8);
      assert.equal(counting([...(boxes[0]?.known.values() ?? [])]).size, 1);
    }),
    { numRuns: 300 },
  );
});

test("the entries ever written never fall for who learns of more", () => {
  fc.assert(
    fc.property(fc.array(anyAct, { maxLength: 40 }), (acts) => {
      const { all } = live(acts, 64);
      const ever = (logs: ReadonlyMap<LogId, LogEnd>): number => {
        const from = counting([...logs.values()]);
        return entriesEver(
          [...logs.values()].flatMap(({ log, seq, word }) => {
            const after = from.get(log);
            return after === undefined ? [] : [{ seq, from: after, past: word.past }];
          }),
        );
      };
      // A node that is told of each state in turn, and forgets nothing.
      const node = new Map<LogId, LogEnd>();
      let before = 0;
      for (const known of all) {
        for (const [log, each] of known) {
          if (each.seq > (node.get(log)?.seq ?? 0)) node.set(log, each);
        }
        assert.ok(ever(node) >= before, `${ever(node)} after ${before}`);
        before = ever(node);
      }
    }),
    { numRuns: 300 },
  );
});

test("what does not fit the list goes below the floor, the earliest first", () => {
  const taken = Array.from({ length: 70 }, (_, index) => named(`log ${index}`, 1, index + 1));
  const word = wordOver(taken, 0, 100, 64);
  assert.equal(word.retires.length, 64);
  assert.equal(word.floor, 7);
  assert.equal(word.past, 100 + 6 * 1024);
  const again = wordOver([...word.retires, named("log 71", 1, 71)], word.floor, 0, 64);
  assert.equal(again.floor, 8);
  assert.equal(again.retires.length, 64);
});
