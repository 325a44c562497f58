import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { test } from "node:test";
import type { ServiceState } from "../../protocol/dns/steering-record.ts";
import { hashId, type SiteId } from "../../protocol/ids.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { RecordView } from "../../test-mesh/fakes/record-view.ts";
import { silentLogger } from "../observe/log.ts";
import { Verdicts } from "./verdicts.ts";

const QUIMPER = hashId<SiteId>("quimper");
const BREST = hashId<SiteId>("brest");
const MINUTE_MS = 60_000;

function world() {
  const time = new FakeTime();
  const clock = time.clock();
  const view = new RecordView();
  const written: unknown[] = [];
  const trouble: { error?: Error } = {};
  for (const site of [QUIMPER, BREST]) view.put(site, "site", "service/wiki", { name: "wiki" });
  view.put(BREST, "site", "service/blog", { name: "blog" });
  const records = {
    siteId: QUIMPER,
    view: () => view,
    write: async ({ class: recordClass, key, value }: Parameters<Write>[0]) => {
      if (trouble.error !== undefined) throw trouble.error;
      written.push(value === undefined ? undefined : (value as { state: string }).state);
      view.put(QUIMPER, recordClass, key, value);
    },
    served: async () => {},
  };
  const start = () => new Verdicts(records, clock, silentLogger);
  return { time, clock, view, written, trouble, start };
}
type Write = ConstructorParameters<typeof Verdicts>[0]["write"];

async function report(verdicts: Verdicts, reports: string) {
  let last: Awaited<ReturnType<Verdicts["report"]>> | undefined;
  for (const each of reports) last = await verdicts.report("wiki", stateOf(each), "because");
  return last;
}

function stateOf(text: string): ServiceState {
  return text === "-" ? "down" : "up";
}

test("a verdict is written when it changes, with the reason and the time", async () => {
  const { clock, view, written, start } = world();
  const verdicts = start();
  deepEqual(await report(verdicts, "++--"), {
    ...{ service: "wiki", state: "up", changed: false, against: 2, needed: 3, damped: false },
  });
  deepEqual(written, []);
  deepEqual(await report(verdicts, "-"), {
    ...{ service: "wiki", state: "down", changed: true, against: 0, needed: 2, damped: false },
  });
  deepEqual(view.get("note", "verdict/wiki", QUIMPER)?.value, {
    ...{ state: "down", sinceMs: clock.wallMs(), weight: 1000, text: "because" },
  });
  await report(verdicts, "-----++");
  deepEqual(written, ["down", "up"]);
});

test("reports on a service of another site, or of none, are refused", async () => {
  const verdicts = world().start();
  for (const service of ["blog", "nothing"]) {
    await rejects(verdicts.report(service, "down"), { code: "E-SERVICE-UNKNOWN" });
  }
});

test("reports that come at once are judged one after the other", async () => {
  const { written, start } = world();
  const verdicts = start();
  await Promise.all([1, 2, 3, 4, 5].map(() => verdicts.report("wiki", "down")));
  deepEqual(written, ["down"]);
});

test("what could not be written is judged again", async () => {
  const { written, trouble, start } = world();
  const verdicts = start();
  trouble.error = new Error("disk full");
  await rejects(report(verdicts, "---"), /disk full/);
  delete trouble.error;
  equal((await report(verdicts, "-"))?.changed, true);
  deepEqual(written, ["down"]);
});

test("a restart keeps the verdict, and goes on counting from nothing", async () => {
  const { written, start } = world();
  await report(start(), "---+");
  const after = start();
  equal((await report(after, "+"))?.state, "down");
  equal((await report(after, "+"))?.state, "up");
  deepEqual(written, ["down", "up"]);
});

test("flapping writes a few times only, over restarts, too", async () => {
  const { time, written, start } = world();
  for (let round = 0; round < 60; round++) {
    const verdicts = start();
    await report(verdicts, "---++");
    await time.advance(1000);
  }
  ok(written.length <= 5, `${written.length}`);
});

test("what was held down rises when it was steady for a while", async () => {
  const { time, written, start } = world();
  const verdicts = start();
  equal((await report(verdicts, "---++---++---++"))?.damped, true);
  await time.advance(31 * MINUTE_MS);
  equal((await report(verdicts, "+"))?.state, "up");
  deepEqual(written, ["down", "up", "down", "up", "down", "up"]);
});

test("a clock that jumps years moves nothing", async () => {
  for (const byMs of [-40, 40].map((years) => years * 365 * 86_400_000)) {
    const { clock, start } = world();
    await report(start(), "---");
    clock.jump(byMs);
    const after = start();
    equal((await report(after, "+"))?.state, "down");
    equal((await report(after, "+"))?.state, "up");
  }
});

test("the verdict goes with the service", async () => {
  const { view, written, start } = world();
  const verdicts = start();
  view.put(BREST, "note", "verdict/gone", { state: "down", sinceMs: 0, weight: 0 });
  await report(verdicts, "---");
  await verdicts.tidy();
  deepEqual(written, ["down"]);
  view.put(QUIMPER, "site", "service/wiki", undefined);
  await verdicts.tidy();
  await verdicts.tidy();
  deepEqual(written, ["down", undefined]);
  view.put(QUIMPER, "site", "service/wiki", { name: "wiki" });
  equal((await report(verdicts, "--"))?.state, "up", "it begins anew");
});
