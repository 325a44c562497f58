/** The vectors of records of data sets: what they say is read from them, and makes them again. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { idOf, sha256, type AnyId, type ListId, type SiteId } from "../ids.ts";
import { holdRecords, joinHeld, joinPlaced, morePlaced, placeRecords } from "./record-pages.ts";
import { holdRecord, placeRecord } from "./record.ts";

const record = z.object({ key: z.string(), value: z.json() });
const shape = z.object({ about: z.string(), place: z.array(record), hold: z.array(record) });
const path = join(import.meta.dirname, "../vectors/records.json");
const { place, hold } = shape.parse(JSON.parse(await readFile(path, "utf8")));

function idFrom<Id extends AnyId>(text: string, sizeBytes = 32): Id {
  return idOf<Id>(sha256(text).subarray(0, sizeBytes));
}

test("the records of the site name all groups, and are made again byte by byte", () => {
  assert.equal(place.length, 2);
  const said = joinPlaced(placeRecord.parse(place[0]?.value), (page) => {
    return morePlaced.safeParse(place[page]?.value).data;
  });
  assert.equal(said.owner, idFrom("owner"));
  assert.equal(said.groups.length, 128);
  for (const [group, { targets, ...rest }] of said.groups.entries()) {
    const named = [0, 1, 2].map((step) => idFrom<SiteId>(`site ${(group + step) % 5}`));
    assert.deepEqual(targets, named);
    const numbers = { generation: 300 * group + 1, shards: 32 * group, bytes: 2 ** 27 * group };
    assert.deepEqual(rest, { list: idFrom<ListId>(`list ${group}`), ...numbers });
  }
  assert.deepEqual(placeRecords(idFrom("set", 16), said), place);
});

test("the records of the holder name what it has and what it let go", () => {
  assert.equal(hold.length, 2);
  const said = joinHeld(holdRecord.parse(hold[0]?.value), (page) => {
    return holdRecord.safeParse(hold[page]?.value).data;
  });
  assert.deepEqual(said.letGo, [{ group: 70, groups: 128 }]);
  const numbers = Array.from({ length: 128 }, (_none, group) => group);
  assert.deepEqual(
    said.groups,
    numbers
      .filter((group) => group !== 70)
      .map((group) => ({ group, generation: 300 * group + 1, list: idFrom(`list ${group}`) })),
  );
  assert.deepEqual(holdRecords(idFrom("owner"), idFrom("set", 16), said), hold);
});
