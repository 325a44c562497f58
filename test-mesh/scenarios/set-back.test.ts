/**
 * Directories that were put back from older copies, between real daemons: the owner's whole box, and
 * two of the three holders. The newest snapshot is found through any member that has seen it, both
 * lines of the box stand until a person settles them, and what nobody confirms is called that.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { aboutShape } from "../../daemon/control/shapes.ts";
import { copiesShape, setDetailShape, setsShape } from "../../daemon/control/shapes-backup.ts";
import { peerIdOf } from "../../daemon/mesh/peer-id.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { phraseFile } from "../form.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

/** A source with one file, and what backs it up at a site. */
async function dataSet(mesh: TestMesh, site: TestSite) {
  const source = join(mesh.directory, "source");
  mkdirSync(source);
  const write = (content: string): void => writeFileSync(join(source, "file"), content);
  const read = (into: string): string => readFileSync(join(into, source, "file"), "utf8");
  write("first");
  await site.pleach("backup", "add", "home", "--path", source);
  const { set } = await site.pleach("backup", "run", "home");
  const detail = () => site.client.get(`/v1/backup/sets/${String(set)}`, setDetailShape);
  const untilSafe = () =>
    waitFor("the copies", 60_000, async () => {
      const copies = await site.client.get(`/v1/backup/sets/${String(set)}/copies`, copiesShape);
      const { newestHead } = await detail();
      const isSeen = newestHead.confirmedBy === newestHead.witnesses;
      if (!copies.safe || !isSeen) throw new Error(JSON.stringify({ copies, newestHead }));
      return true;
    });
  await untilSafe();
  return { set: String(set), write, read, detail, untilSafe };
}

/** Keeps a copy of a stopped site's directory, and puts it back later. */
function image(site: TestSite, directory: string): () => void {
  const copy = `${site.directory}.image`;
  cpSync(directory, copy, { recursive: true, preserveTimestamps: true });
  return () => {
    rmSync(directory, { recursive: true });
    cpSync(copy, directory, { recursive: true, preserveTimestamps: true });
  };
}

async function addressOf(site: TestSite): Promise<string> {
  const { siteId } = await site.client.get("/v1/about", aboutShape);
  const peer = peerIdOf(siteId as SiteId).toString();
  return `/ip4/${site.address}/tcp/${site.meshPort}/p2p/${peer}`;
}

test("a box restored from an old image begins a new chain; both tips are shown until one is settled", () =>
  withMesh(async (mesh) => {
    const [quimper, brest] = await mesh.form(["quimper", "brest", "lorient", "vannes"]);
    assert.ok(quimper && brest);
    const { set, write, read, detail, untilSafe } = await dataSet(mesh, quimper);
    await quimper.stop();
    const putBack = image(quimper, quimper.directory);
    await quimper.start();
    write("second");
    await quimper.pleach("backup", "run", "home");
    await untilSafe();
    const newest = (await detail()).head;
    await quimper.stop();
    putBack();
    await quimper.start();

    // A run waits until the site has caught up with itself, and says so.
    write("after the image");
    const run = await waitFor("the run", 60_000, async () => {
      const { exit, stdout } = await quimper.run(["--json", "backup", "run", "home"]);
      const json = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Json;
      if (exit === 0) return json;
      assert.equal((json["error"] as Json)["code"], "E-BACKUP-HEAD", stdout);
      throw new Error(stdout);
    });
    const image1 = run["head"] as { root: string; chain: string; number: number };
    assert.equal(image1.number, 1);
    assert.notEqual(image1.chain, newest?.chain);

    const told = (await quimper.pleach("backup", "show", "home"))["tips"] as { root: string }[];
    assert.deepEqual(
      told.map(({ root }) => root),
      [newest?.root],
    );
    const status = await quimper.run(["status"]);
    assert.match(status.stdout, /home has 2 newest snapshots/);
    await waitFor("brest hears of both", 60_000, async () => {
      const { sets } = await brest.client.get("/v1/backup/sets", setsShape);
      const known = sets.find(({ setId }) => setId === set);
      return known?.head?.root === image1.root && known.tips[0]?.root === newest?.root;
    });
    const into = (name: string): string => join(mesh.directory, name);
    const unsure = await quimper.refused("restore", "home", "--to", into("none"));
    assert.equal(unsure.exit, 5);
    const hint = String(unsure.error["hint"]);
    for (const root of [image1.root, newest?.root ?? ""]) {
      assert.match(hint, new RegExp(`--head ${root.slice(0, 12)}`));
    }
    for (const [root, content] of [
      [image1.root, "after the image"],
      [newest?.root ?? "", "second"],
    ] as const) {
      const to = into(root.slice(0, 8));
      await quimper.pleach("restore", "home", "--to", to, "--head", root.slice(0, 12));
      assert.equal(read(to), content);
    }

    // Nothing of either is forgotten; then somebody says which one counts.
    await quimper.pleach("backup", "forget", "home", "--within", "0d", "--yes");
    const chosen = newest?.root.slice(0, 12) ?? "";
    await quimper.pleach("backup", "settle", "home", "--head", chosen, "--yes");
    assert.deepEqual((await detail()).tips, []);
    await quimper.pleach("restore", "home", "--to", into("settled"));
    assert.equal(read(into("settled")), "second");
    await untilSafe();
    const again = await quimper.refused("backup", "settle", "home", "--head", chosen, "--yes");
    assert.equal(again.error["code"], "E-BACKUP-TIPS");

    // A new box sees it so, too, although holders remember both.
    const box = await mesh.site("box");
    await box.start();
    const sheet = ["--sheet", phraseFile(mesh.directory, "quimper")];
    const member = ["--member", await addressOf(brest)];
    const back = await box.pleach("recover", ...sheet, ...member, "--to", into("box"));
    const [recovered] = back["sets"] as { into: string; confirmed: boolean }[];
    assert.equal(read(recovered?.into ?? ""), "second");
    assert.equal(recovered?.confirmed, true);
  }));

test("two of three holders set back: newest through any witness; without one it is UNCONFIRMED", () =>
  withMesh(async (mesh) => {
    const names = ["quimper", "brest", "lorient", "vannes", "rennes"];
    const [quimper, ...others] = await mesh.form(names);
    assert.ok(quimper);
    const { write, read, detail, untilSafe } = await dataSet(mesh, quimper);
    const targets = (await detail()).groups[0]?.targets ?? [];
    const ids = await Promise.all(
      others.map(async (site) => (await site.client.get("/v1/about", aboutShape)).siteId),
    );
    const holders = others.filter((_site, at) => targets.includes(ids[at] ?? ""));
    const witness = others.find((site) => !holders.includes(site));
    const [first, second, third] = holders;
    assert.ok(first && second && third && witness);
    const putBack: (() => void)[] = [];
    for (const site of [first, second]) {
      await site.stop();
      putBack.push(image(site, site.dataDirectory));
      await site.start();
    }
    write("second");
    await quimper.pleach("backup", "run", "home");
    await untilSafe();
    for (const site of mesh.sites) await site.stop();
    for (const back of putBack) back();

    // Nobody is up who has seen the second snapshot.
    for (const site of [first, second]) await site.start();
    const box = await mesh.site("box");
    await box.start();
    const sheet = ["--sheet", phraseFile(mesh.directory, "quimper")];
    const member = ["--member", await addressOf(first), "--member", await addressOf(second)];
    let count = 0;
    const target = (): string => join(mesh.directory, `back${count++}`);
    const recover = async () => {
      const json = await box.pleach("recover", ...sheet, ...member, "--to", target());
      const [set] = json["sets"] as Json[];
      assert.ok(set);
      return { set, content: read(String(set["into"])) };
    };
    const told = async (): Promise<string> => {
      const { exit, stdout, stderr } = await box.run([
        ...["recover", ...sheet, ...member, "--to", target()],
      ]);
      assert.equal(exit, 0, stdout + stderr);
      return stderr;
    };
    const old = await recover();
    assert.deepEqual([old.set["number"], old.set["confirmed"], old.content], [1, false, "first"]);
    assert.deepEqual([old.set["confirmedBy"], old.set["witnesses"]], [2, 4]);
    assert.match(await told(), /UNCONFIRMED \(confirmed by 2 of 4 members, 3 are needed\)/);

    // A member that holds nothing has seen it: what can be had is not the newest.
    await witness.start();
    await waitFor("the witness is linked", 60_000, async () => /members know 2/.test(await told()));
    assert.equal((await recover()).set["confirmed"], false);

    // The third holder has it.
    await third.start();
    const found = await waitFor("the newest", 60_000, async () => {
      const attempt = await recover();
      return attempt.set["number"] === 2 && attempt.set["confirmed"] === true && attempt;
    });
    assert.equal(found.content, "second");

    // The owner's own daemon is one claim and confirms nothing.
    for (const site of others) await site.stop();
    await quimper.start();
    const alone = await quimper.run(["restore", "home", "--to", join(mesh.directory, "alone")]);
    assert.equal(alone.exit, 0, alone.stdout + alone.stderr);
    assert.match(alone.stderr, /UNCONFIRMED \(no other member could be asked\)/);
    const to = join(mesh.directory, "json");
    const { newest } = await quimper.pleach("restore", "home", "--to", to);
    assert.equal((newest as Json)["confirmed"], false);
  }));
