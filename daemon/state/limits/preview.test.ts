import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding } from "../../../test-mesh/fakes/founding.ts";
import { bring, startMember, startState } from "../../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import type { State } from "../state.ts";

const zone = (key: string, value: string | undefined) =>
  ({ class: "zone", key: `bzh.example/${key}`, value }) as const;

function shown(state: State): ReadonlyMap<string, string> {
  const entries = state.view().entries("zone");
  return new Map(entries.map(({ key, versionId }) => [key, versionId]));
}

test("a preview names exactly what the revocation then changes, also over a restart", async () => {
  const founding = new Founding("preview");
  const [quimperId, brestId] = [founding.enrol("quimper"), founding.enrol("brest")];
  for (const site of [quimperId, brestId]) founding.grant(site, "zone", null);
  const quimper = await startMember("quimper", founding.statements);
  const disk = new FakeDisk();
  let brest = await startMember("brest", founding.statements, disk);
  await quimper.write([zone("mail", "by quimper"), zone("www", "by quimper")]);
  await bring(quimper, brest);
  await brest.write([zone("before", "by brest"), zone("kept", "by brest")]);
  await bring(brest, quimper);
  const ends = [...quimper.cutoffs(brestId)];

  // From its next start on it is in the hands of somebody else.
  await brest.close();
  brest = await startState("brest", disk);
  const theft = [zone("mail", "stolen"), zone("www", undefined), zone("before", undefined)];
  await brest.write([...theft, zone("late", "by brest")]);
  await bring(brest, quimper);
  const told = await quimper.previewCut({ site: brestId, ends });
  assert.deepEqual(
    told.map(({ key, effect }) => [key, effect]),
    [
      ["bzh.example/before", "returns"],
      ["bzh.example/late", "vanishes"],
      ["bzh.example/mail", "returns"],
      ["bzh.example/www", "returns"],
    ],
  );
  assert.deepEqual(
    await quimper.previewCut({ site: quimperId, ends: [...quimper.cutoffs(quimperId)] }),
    [],
  );

  const before = shown(quimper);
  founding.epoch({ revokes: [{ site: brestId, logs: ends }] });
  await quimper.addStatements(founding.statements);
  const after = shown(quimper);
  const keys = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  const changed = keys.filter((key) => before.get(key) !== after.get(key));
  assert.deepEqual(
    changed,
    told.map(({ key }) => key),
  );
});
