import { equal, notEqual, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import type { CountedLog } from "../logs/counted-log.ts";
import {
  idOf,
  sha256,
  type EnvelopeId,
  type LogId,
  type SiteId,
  type StatementId,
} from "../../../protocol/ids.ts";
import { isLaterSerial, serialOffset, zoneSerial, type CountedStatement } from "./zone-serial.ts";

/** Each name is a log of a part of its own. */
const log = (
  name: string,
  seq: number,
  recordClass: CountedLog["class"] = "zone",
  more: Partial<CountedLog> = {},
): CountedLog => ({
  class: recordClass,
  author: idOf<SiteId>(sha256("author")),
  part: sha256(name)[0] ?? 0,
  log: idOf<LogId>(sha256(name).subarray(0, 16)),
  seq,
  head: idOf<EnvelopeId>(sha256(`${name} ${seq}`)),
  takenUp: 0,
  past: 0,
  ...more,
});
const statement = (name: string, body: object = { kind: "GRANT" }): CountedStatement => ({
  id: idOf<StatementId>(sha256(name)),
  body: body as CountedStatement["body"],
});

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

const file = new URL("../../../protocol/vectors/zones.json", import.meta.url);
const vectors = z
  .object({
    serials: z.array(
      z.object({
        base: z.number(),
        logs: z.array(z.custom<CountedLog>()),
        statements: z.array(z.custom<CountedStatement>()),
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

  it("cannot be used up by one hostile author", () => {
    const most = Math.floor(serialOffset([log("a", 2 ** 21)], []) / 64);
    const logs = [log("a", 2 ** 33), log("b", 2 ** 40), log("c", 1, "site", { past: 2 ** 50 })];
    equal(Math.floor(serialOffset(logs, []) / 64), most);
  });

  it("goes on when a log takes up another one", () => {
    const before = serialOffset([log("a", 7), log("b", 2)], []);
    const taken = log("c", 1, "zone", { part: log("a", 7).part, past: 7 });
    const tail = log("a", 9, "zone", { takenUp: 7 });
    ok(isLaterSerial(serialOffset([taken, log("b", 2)], []), before));
    ok(isLaterSerial(serialOffset([taken, tail, log("b", 2)], []), before));
  });

  it("goes on when a statement takes away all that an author wrote", () => {
    const logs = [log("a", 2 ** 20), log("b", 2 ** 20)];
    const before = serialOffset(logs, []);
    const ends = [
      { kind: "EPOCH", revokes: [{}] },
      { kind: "LEAVE" },
      { kind: "SITE", release: {} },
    ];
    for (const body of ends) ok(isLaterSerial(serialOffset([], [statement("end", body)]), before));
    const grant = serialOffset([], [statement("grant")]);
    ok(!isLaterSerial(grant, before));
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
