import { equal, notEqual, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { idOf, sha256, type EnvelopeId, type LogId, type StatementId } from "../../protocol/ids.ts";
import { isLaterSerial, serialOffset, zoneSerial, type CountedLog } from "./zone-serial.ts";

const log = (name: string, seq: number, recordClass: CountedLog["class"] = "zone"): CountedLog => ({
  class: recordClass,
  log: idOf<LogId>(sha256(name).subarray(0, 16)),
  seq,
  head: idOf<EnvelopeId>(sha256(`${name} ${seq}`)),
});
const statement = (name: string) => idOf<StatementId>(sha256(name));

/** How far three logs and the statements are known. */
const state = fc.record({
  seqs: fc.array(fc.nat(3000), { minLength: 3, maxLength: 3 }),
  statements: fc.uniqueArray(fc.nat(20), { maxLength: 8 }),
});
type State = { readonly seqs: readonly number[]; readonly statements: readonly number[] };

function offset({ seqs, statements }: State): number {
  return serialOffset(
    seqs.map((seq, index) => log(`log ${index}`, seq)),
    statements.map((each) => statement(`statement ${each}`)),
  );
}

const file = new URL("../../protocol/vectors/zones.json", import.meta.url);
const vectors = z
  .object({
    serials: z.array(
      z.object({
        base: z.number(),
        logs: z.array(z.custom<CountedLog>()),
        statements: z.array(z.custom<StatementId>()),
        serial: z.number(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(file, "utf8")));

describe("the serial of a zone", () => {
  it("is the one of the vectors", () => {
    for (const { base, logs, statements, serial } of vectors.serials) {
      equal(zoneSerial(base, serialOffset(logs, statements)), serial);
    }
  });

  it("does not depend on the order in which a node lists what it holds", () => {
    const logs = [log("a", 3), log("b", 5), log("c", 1, "site")];
    const statements = [statement("x"), statement("y")];
    equal(serialOffset(logs, statements), serialOffset(logs.toReversed(), statements.toReversed()));
  });

  it("ignores classes that no zone is made of, and empty logs", () => {
    const base = serialOffset([log("a", 3)], []);
    equal(serialOffset([log("a", 3), log("b", 9, "hold"), log("c", 0)], []), base);
    notEqual(serialOffset([log("a", 3), log("b", 9, "site")], []), base);
  });

  it("is raised by every single entry and statement, in any state", () => {
    fc.assert(
      fc.property(state, fc.nat(2), (before, which) => {
        const seqs = before.seqs.map((seq, index) => (index === which ? seq + 1 : seq));
        ok(isLaterSerial(offset({ ...before, seqs }), offset(before)));
        const statements = [...before.statements, 99];
        ok(isLaterSerial(offset({ ...before, statements }), offset(before)));
      }),
    );
  });

  it("is above both sides after a merge, unless one side had it all", () => {
    fc.assert(
      fc.property(state, state, (a, b) => {
        const merged: State = {
          seqs: a.seqs.map((seq, index) => Math.max(seq, b.seqs[index] ?? 0)),
          statements: [...new Set([...a.statements, ...b.statements])],
        };
        for (const side of [a, b]) {
          const same =
            side.statements.length === merged.statements.length &&
            side.seqs.every((seq, index) => seq === merged.seqs[index]);
          if (same) equal(offset(merged), offset(side));
          else ok(isLaterSerial(offset(merged), offset(side)));
        }
      }),
    );
  });

  it("tells most diverged states of equal counts apart", () => {
    const equals = Array.from({ length: 200 }, (_, index) => {
      const one = serialOffset([log(`left ${index}`, 7)], []);
      return one === serialOffset([log(`right ${index}`, 7)], []);
    }).filter(Boolean).length;
    ok(equals < 15, `${equals} of 200 are equal; 1 in 64 is expected`);
  });

  it("cannot be used up by one hostile log", () => {
    equal(
      Math.floor(serialOffset([log("a", 2 ** 40)], []) / 64),
      Math.floor(serialOffset([log("a", 2 ** 20)], []) / 64),
    );
  });

  it("goes on above a base, round the end of the numbers", () => {
    const before = zoneSerial(2 ** 32 - 10, 0);
    const after = zoneSerial(2 ** 32 - 10, 64);
    equal(after, 54);
    ok(isLaterSerial(after, before));
    ok(!isLaterSerial(before, after));
    ok(!isLaterSerial(5, 5));
  });
});
