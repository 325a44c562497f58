/** More live logs of a part than have a say, because one that had taken up most of them went. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../fakes/founding.ts";
import { startMember } from "../fakes/state-node.ts";
import { ForkingLog } from "../hostile/forking-log.ts";
import { line, referenceView } from "./reference/reference-view.ts";

const HEARD = 16;

test("a live log that is one too many takes up nothing, in the reference view, too", async () => {
  const founding = new Founding("crowded logs");
  for (const name of ["quimper", "thief"]) founding.enrol(name);
  const open = (name: string, started: number): ForkingLog =>
    new ForkingLog(founding.meshId, testKey("thief"), { class: "offer", name, started });
  const low = Array.from({ length: HEARD + 1 }, (_, index) => open(`low ${index}`, 1));
  low.sort((a, b) => (a.log < b.log ? -1 : 1));
  const entries = low.map((log, index) => [
    log.snapshot(),
    log.update({ [`service/a${index}`]: "1" }),
    log.update({ [`service/b${index}`]: "2" }),
  ]);
  const [first, last] = [low.at(0), low.at(-1)];
  assert.ok(first && last);
  let [number, crowded] = [0, last];
  while (crowded.log <= last.log) crowded = open(`crowded ${number++}`, 10);
  // Of the first log it leaves only the last record, if it has a say.
  const word = crowded.snapshot({ retires: [{ ...first.taken(), seq: 2, lamport: 2 }] });
  const cover = open("cover", 20);
  const fork = cover.fork().snapshot();
  const covers = cover.snapshot({ retires: low.slice(1, 12).map((log) => log.taken()) });

  const state = await startMember("quimper", founding.statements);
  const [early, late] = [entries.slice(0, HEARD - 1), entries.slice(HEARD - 1)];
  for (const { bytes } of [...early.flat(), covers, ...late.flat(), word]) {
    assert.equal(await state.replica.receiveEnvelope(bytes, first.author), "accepted");
  }
  await state.replica.receiveEnvelope(fork.bytes, first.author);
  assert.equal(state.authority().logLimit(first.author, cover.log), "none");

  const shown = state.view().entries("offer");
  const all = [...entries.flat(), word, covers, fork];
  const expected = referenceView(state.authority(), all, "offer");
  const lines = shown.map(({ key, author, versionId }) => line(key, author, [versionId]));
  assert.deepEqual(lines.toSorted(), expected);
  const keys = [0, 1, 2, 3].flatMap((index) => [`service/a${index}`, `service/b${index}`]);
  assert.deepEqual(shown.map(({ key }) => key).toSorted(), keys.toSorted());
});
