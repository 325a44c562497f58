import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding } from "../../test-mesh/fakes/founding.ts";
import { bring, startMember } from "../../test-mesh/fakes/state-node.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import { PleachError } from "../../protocol/error.ts";
import type { State } from "../state/state.ts";
import { conflictPort } from "./conflicts.ts";

const KEY = "bzh.example/www/CNAME/only";

async function twoSites(): Promise<readonly [State, State]> {
  const founding = new Founding("conflicts");
  for (const name of ["quimper", "brest"]) {
    founding.grant(founding.enrol(name), "zone", null);
  }
  const [quimper, brest] = await Promise.all(
    ["quimper", "brest"].map((name) => startMember(name, founding.statements)),
  );
  assert.ok(quimper !== undefined && brest !== undefined);
  return [quimper, brest];
}

async function write(state: State, value: JsonValue | undefined): Promise<void> {
  await state.write([{ class: "zone", key: KEY, value }]);
}

async function meet(one: State, other: State): Promise<void> {
  await bring(one, other);
  await bring(other, one);
}

test("both versions of a record are told with author and time, and one is kept on all sites", async () => {
  const [quimper, brest] = await twoSites();
  await write(quimper, { ttl: 300, data: "a.", view: "public" });
  await write(brest, { ttl: 300, data: "b.", view: "public" });
  await meet(quimper, brest);
  const port = conflictPort(quimper, (changes) => quimper.write(changes));
  const [conflict] = await port.conflicts();
  assert.deepEqual(conflict?.versions.map(({ site }) => site).toSorted(), ["brest", "quimper"]);
  assert.ok(conflict?.mayKeep);
  for (const { writtenAtMs } of conflict.versions) assert.equal(typeof writtenAtMs, "number");
  const fromBrest = conflict.versions.find(({ site }) => site === "brest");
  await port.keep([fromBrest?.id ?? ""]);
  await meet(quimper, brest);
  for (const state of [quimper, brest]) {
    assert.deepEqual(state.view().conflicts("zone"), []);
    assert.deepEqual(state.view().get("zone", KEY)?.value, fromBrest?.value);
  }
  const again = port.keep([fromBrest?.id ?? ""]).catch((error: unknown) => error);
  assert.ok((await again) instanceof PleachError);
});

test("a change and a deletion at once are told, and the change can be kept", async () => {
  const [quimper, brest] = await twoSites();
  await write(quimper, { ttl: 300, data: "a.", view: "public" });
  await meet(quimper, brest);
  await write(quimper, { ttl: 60, data: "a.", view: "public" });
  await write(brest, { ttl: 61, data: "a.", view: "public" });
  await write(brest, undefined);
  await meet(quimper, brest);
  assert.equal(quimper.view().get("zone", KEY), undefined, "the deletion is newer");
  const port = conflictPort(quimper, (changes) => quimper.write(changes));
  const [conflict] = await port.conflicts();
  assert.deepEqual(
    conflict?.versions.map(({ deleted, site }) => [deleted, site]),
    [
      [true, "brest"],
      [false, "quimper"],
    ],
  );
  await port.keep([conflict?.versions[1]?.id ?? ""]);
  await meet(quimper, brest);
  assert.deepEqual(brest.view().get("zone", KEY)?.value, { ttl: 60, data: "a.", view: "public" });
  assert.deepEqual(await port.conflicts(), []);
});
