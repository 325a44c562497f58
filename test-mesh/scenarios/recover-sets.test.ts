/**
 * Several data sets of one owner come back, whatever is wrong with one of them: two that have one
 * name, because the keys of the first were lost, and one whose shards nobody has any more.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { aboutShape } from "../../daemon/control/shapes.ts";
import { copiesShape, setsShape } from "../../daemon/control/shapes-backup.ts";
import { peerIdOf } from "../../daemon/mesh/peer-id.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { phraseFile } from "../form.ts";
import { withMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

/** Backs a set up to the one other site. @returns Its identifier. */
async function backUp(site: TestSite, name: string): Promise<string> {
  const run = await site.pleach("backup", "run", name, "--copies", "1");
  const set = String(run["set"]);
  await waitFor("the copy", 60_000, async () => {
    const copies = await site.client.get(`/v1/backup/sets/${set}/copies`, copiesShape);
    if (!copies.safe) throw new Error(JSON.stringify(copies));
    return true;
  });
  return set;
}

test("each data set comes back as far as it is there", () =>
  withMesh(async (mesh) => {
    const [quimper, brest] = await mesh.form(["quimper", "brest"]);
    assert.ok(quimper && brest);
    const source = join(mesh.directory, "source");
    mkdirSync(source);
    writeFileSync(join(source, "which"), "first");
    await quimper.pleach("backup", "add", "home", "--path", source);
    await quimper.pleach("backup", "add", "other", "--path", source);
    const first = await backUp(quimper, "home");
    const gone = await backUp(quimper, "other");
    rmSync(join(quimper.keysDirectory, "sets", "home.json"));
    writeFileSync(join(source, "which"), "second");
    const second = await backUp(quimper, "home");
    assert.notEqual(first, second);
    const { sets } = await quimper.client.get("/v1/backup/sets", setsShape);
    const heads = new Map(sets.map(({ setId, head }) => [setId, head?.root ?? ""]));
    await quimper.kill();
    for (const owner of readdirSync(join(brest.dataDirectory, "shards", "shards"))) {
      rmSync(join(brest.dataDirectory, "shards", "shards", owner, gone), { recursive: true });
    }

    const box = await mesh.site("box");
    await box.start();
    const sheet = phraseFile(mesh.directory, "quimper");
    const { siteId } = await brest.client.get("/v1/about", aboutShape);
    const peer = peerIdOf(siteId as SiteId).toString();
    const member = `/ip4/${brest.address}/tcp/${brest.meshPort}/p2p/${peer}`;
    const recover = async (to: string, ...more: string[]) => {
      const args = ["--json", "recover", "--sheet", sheet, "--member", member];
      const into = ["--to", join(mesh.directory, to)];
      const { exit, stdout } = await box.run([...args, ...into, ...more]);
      return { exit, json: JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Json };
    };
    const { exit, json } = await recover("all");
    assert.equal(exit, 3, JSON.stringify(json));
    const which = (json["sets"] as { into: string }[]).map(({ into }) =>
      readFileSync(join(into, source, "which"), "utf8"),
    );
    assert.deepEqual(which.toSorted(), ["first", "second"]);
    assert.deepEqual(
      (json["failed"] as { set: string }[]).map(({ set }) => set),
      [gone],
    );

    // A head is of one set: the others are none of its business.
    const root = heads.get(first)?.slice(0, 12) ?? "";
    const chosen = await recover("chosen", "--set", "home", "--head", root);
    assert.equal(chosen.exit, 0, JSON.stringify(chosen.json));
    const wrong = await recover("wrong", "--head", "0123456789ab");
    assert.equal(wrong.exit, 5, JSON.stringify(wrong.json));
  }));
