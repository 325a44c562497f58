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
