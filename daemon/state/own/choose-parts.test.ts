import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding } from "../../../test-mesh/fakes/founding.ts";
import { startMember } from "../../../test-mesh/fakes/state-node.ts";

test("small records that are all written anew stay in their parts", async () => {
  const founding = new Founding("parts");
  founding.grant(founding.enrol("brest"), "zone", null);
  const state = await startMember("brest", founding.statements);
  const partsAfter = async (round: number): Promise<number> => {
    for (let from = 0; from < 1750; from += 250) {
      const changes = Array.from({ length: 250 }, (_, at) => {
        return { class: "zone" as const, key: `e.org/${from + at}/A/1`, value: round };
      });
      await state.write(changes);
    }
    return new Set(state.logHeads().map(({ part }) => part)).size;
  };
  const first = await partsAfter(0);
  assert.ok(first <= 3, `${first} parts`);
  for (let round = 1; round < 5; round++) assert.equal(await partsAfter(round), first);
});

test("records that fill many parts are found again there, whether one changes or all do", async () => {
  const founding = new Founding("parts");
  founding.grant(founding.enrol("brest"), "zone", null);
  const state = await startMember("brest", founding.statements);
  const [count, step] = [5000, 2500];
  const write = async (value: number | undefined): Promise<void> => {
    for (let from = 0; from < count; from += step) {
      const changes = Array.from({ length: step }, (_, at) => {
        return { class: "zone" as const, key: `e.org/${from + at}/A/1`, value };
      });
      await state.write(changes);
    }
  };
  const parts = (): number => new Set(state.logHeads().map(({ part }) => part)).size;
  await write(0);
  const first = parts();
  assert.ok(first > 2, `${first} parts`);
  await write(1);
  await state.write([{ class: "zone", key: "e.org/7/A/1", value: 2 }]);
  const shown = new Map(
    state
      .view()
      .entries("zone")
      .map(({ key, value }) => [key, value]),
  );
  assert.equal(shown.size, count);
  assert.equal(shown.get("e.org/7/A/1"), 2);
  assert.ok([...shown].every(([key, value]) => key === "e.org/7/A/1" || value === 1));
  assert.deepEqual(state.view().conflicts("zone"), []);
  assert.equal(parts(), first);
  await write(undefined);
  assert.deepEqual(state.view().entries("zone"), []);
});
