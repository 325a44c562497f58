/** Operators decide together and against each other: real daemons, real commands, real files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { phraseOf } from "../../protocol/keys/recovery-phrase.ts";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { DecisionParty } from "../decision-party.ts";
import { admit, phraseFile } from "../form.ts";
import { withMesh } from "../harness.ts";
import { waitFor } from "../wait.ts";
import type { Json, TestSite } from "../test-site.ts";

async function operatorsAt(site: TestSite): Promise<readonly Json[]> {
  return (await site.pleach("operators"))["operators"] as readonly Json[];
}

async function namesAt(site: TestSite): Promise<readonly string[]> {
  return (await operatorsAt(site)).map(({ name }) => String(name)).toSorted();
}

test("two suspend each other, one suspends all others: the rest votes and decides", () =>
  withMesh(async (mesh) => {
    const party = new DecisionParty(mesh);
    const quimper = await mesh.site("quimper", { dht: false });
    const brest = await mesh.site("brest", { dht: false });
    await Promise.all([quimper.start(), brest.start()]);
    await party.found(quimper, ["anne", "bob", "carol"]);
    const passphrase = join(mesh.directory, "passphrase");
    const files = { operatorKey: party.keyFile("anne"), passphrase };
    await admit(quimper, brest, files, "--owner", "none");
    for (const site of mesh.sites) await site.pleach("wait", "--for", "mesh");

    await quimper.pleach("suspend", "bob", "--operator", ...party.as("anne"));
    await brest.pleach("suspend", "anne", "--operator", ...party.as("bob"));
    await brest.pleach("suspend", "carol", "--operator", ...party.as("bob"));
    await waitFor("three suspended at quimper", 60_000, async () =>
      (await operatorsAt(quimper)).every(({ suspended }) => suspended === true),
    );
    const { todo } = await quimper.client.get("/v1/status", statusShape);
    assert.equal(todo.filter(({ text }) => /is suspended by/.test(text)).length, 3);

    // Held up is what a suspended operator admits, never its vote.
    const proposed = await party.ends(
      ...([quimper, 5, "revoke", "bob", "--operator", ...party.as("anne")] as const),
    );
    assert.deepEqual([proposed["state"], proposed["votes"]], ["open", ["anne"]]);
    const id = String(proposed["id"]);
    await waitFor("the proposal at brest", 60_000, async () => {
      const { proposals } = await brest.pleach("sign");
      return (proposals as Json[]).some((each) => each["id"] === id);
    });
    const signed = await brest.pleach("sign", id.slice(0, 8), ...party.as("carol"));
    assert.deepEqual([signed["state"], signed["epoch"]], ["counts", 1]);
    for (const site of mesh.sites) {
      await waitFor(
        `the end of bob at ${site.name}`,
        60_000,
        async () => (await namesAt(site)).join() === "anne,carol",
      );
      assert.ok((await operatorsAt(site)).every(({ suspended }) => suspended === false));
    }
    const late = await quimper.refused("suspend", "anne", "--operator", ...party.as("bob"));
    assert.deepEqual([late.exit, late.error["code"]], [5, "E-OPERATOR"]);
  }));

test("signatures are gathered by files alone, and the recovery key decides without operators", () =>
  withMesh(async (mesh) => {
    const party = new DecisionParty(mesh);
    const quimper = await mesh.site("quimper", { dht: false });
    await quimper.start();
    await party.found(quimper, ["anne", "bob", "carol"]);
    await party.makeKey(quimper, "dora");
    const add = ["operators", "add", `${party.keyFile("dora")}.pub`];
    const dry = await quimper.pleach(...add, "--threshold", "2", "--dry-run");
    assert.match(String((dry["words"] as string[]).join("\n")), /New +dora/);
    assert.deepEqual(await namesAt(quimper), ["anne", "bob", "carol"]);
    const proposed = await party.ends(quimper, 5, ...add, "--threshold", "2", ...party.as("anne"));
    const id = String(proposed["id"]);
    assert.deepEqual(proposed["missing"], ["bob", "carol"]);
    const other = await quimper.refused("operators", "threshold", "3", ...party.as("anne"));
    assert.deepEqual([other.exit, other.error["code"]], [5, "E-DECISION"]);
    assert.match(String(other.error["hint"]), /operators settle/);

    const file = (name: string): string => join(mesh.directory, name);
    await quimper.pleach("sign", id.slice(0, 8), "--out", file("proposal.txt"));
    // No configuration and no daemon: another machine, to which the file went by e-mail.
    const mailed = (await readFile(file("proposal.txt"), "utf8")).replaceAll(/^/gm, "> ");
    await writeFile(file("mailed.txt"), mailed);
    const away = ["--config", "/nowhere", "sign", file("mailed.txt"), "--out", file("signed.txt")];
    const wrong = await quimper.refused(...away, ...party.as("dora"));
    assert.equal(wrong.error["code"], "E-OPERATOR");
    const answer = await quimper.pleach(...away, ...party.as("bob"));
    assert.equal(answer["state"], "counts");
    assert.deepEqual(await namesAt(quimper), ["anne", "bob", "carol"], "not before it is back");
    const twice = [...away.slice(0, -1), file("again.txt")];
    const again = await quimper.pleach(...twice, ...party.as("bob"));
    assert.equal(again["vote"], answer["vote"], "the old file is not signed anew");
    const damaged = file("damaged.txt");
    const text = await readFile(file("signed.txt"), "utf8");
    await writeFile(damaged, text.replace(/[A-Z](?=[a-z0-9+/]{4})/, "_"));
    assert.equal(
      (await quimper.refused("sign", "--add", damaged)).error["code"],
      "E-DECISION-DAMAGED",
    );
    const added = await quimper.pleach("sign", "--add", file("signed.txt"));
    assert.deepEqual([added["state"], added["epoch"]], ["counts", 1]);
    assert.deepEqual(await namesAt(quimper), ["anne", "bob", "carol", "dora"]);
    assert.equal((await quimper.pleach("operators"))["threshold"], 2);
    const late = await quimper.pleach("sign", "--add", file("again.txt"));
    assert.equal(late["state"], "counts", "a signature may come twice");

    const byPhrase = ["--phrase-file", phraseFile(mesh.directory, "quimper"), "--yes"];
    const alone = await quimper.pleach("operators", "remove", "carol", ...byPhrase);
    assert.deepEqual([alone["state"], alone["epoch"]], ["counts", 2]);
    assert.deepEqual(await namesAt(quimper), ["anne", "bob", "dora"]);
    const back = await quimper.refused(
      ...["operators", "add", `${party.keyFile("carol")}.pub`, ...byPhrase],
    );
    assert.equal(back.error["code"], "E-DECISION", "a key that was removed never comes back");

    // Another phrase takes the place of the founder's, which decides nothing from then on.
    await writeFile(file("words.txt"), phraseOf(new Uint8Array(32).fill(7)), { mode: 0o600 });
    const byWords = ["--phrase-file", file("words.txt"), "--yes"];
    const show = ["--config", "/nowhere", "keys", "recovery", ...byWords.slice(0, 2)];
    const line = String((await quimper.pleach(...show))["line"]);
    await writeFile(file("line.txt"), `${line}\n`);
    const [before] = (await quimper.pleach("operators", "recovery"))["keys"] as readonly string[];
    assert.ok(before !== undefined);
    const swap = ["--add", file("line.txt"), "--remove", before.slice(0, 8)];
    const changed = await quimper.pleach("operators", "recovery", ...swap, ...byPhrase);
    assert.deepEqual([changed["state"], changed["epoch"]], ["counts", 3]);
    const old = await quimper.refused("operators", "threshold", "1", ...byPhrase);
    assert.deepEqual([old.exit, old.error["code"]], [5, "E-OPERATOR"]);
    const fresh = await quimper.pleach("operators", "threshold", "1", ...byWords);
    assert.deepEqual([fresh["state"], fresh["epoch"]], ["counts", 4]);
  }));

test("two epochs of one number contest each other until operators settle it", () =>
  withMesh(async (mesh) => {
    const party = new DecisionParty(mesh);
    const quimper = await mesh.site("quimper", { dht: false });
    const brest = await mesh.site("brest", { dht: false });
    await Promise.all([quimper.start(), brest.start()]);
    await party.found(quimper, ["anne"]);
    const passphrase = join(mesh.directory, "passphrase");
    const files = { operatorKey: party.keyFile("anne"), passphrase };
    await admit(quimper, brest, files, "--owner", "none");
    for (const site of mesh.sites) await site.pleach("wait", "--for", "mesh");
    for (const name of ["dora", "erik"]) await party.makeKey(quimper, name);

    // Each half of the mesh decides without the other, with two copies of one key.
    await copyFile(party.keyFile("anne"), party.keyFile("anne-copied"));
    await brest.stop();
    const one = ["operators", "add", `${party.keyFile("dora")}.pub`, "--threshold", "1"];
    assert.equal((await quimper.pleach(...one, ...party.as("anne")))["state"], "counts");
    await quimper.stop();
    await brest.start();
    const other = ["operators", "add", `${party.keyFile("erik")}.pub`, "--threshold", "1"];
    assert.equal((await brest.pleach(...other, ...party.as("anne-copied")))["state"], "counts");
    await quimper.start();

    for (const site of mesh.sites) {
      await waitFor(`the contest at ${site.name}`, 60_000, async () => {
        const { todo } = await site.client.get("/v1/status", statusShape);
        return todo.some(({ command }) => command.startsWith("pleach operators settle"));
      });
      assert.deepEqual(await namesAt(site), ["anne"], "only whom both name");
    }
    const settled = await quimper.pleach("operators", "settle", ...party.as("anne"));
    assert.deepEqual([settled["state"], settled["epoch"]], ["counts", 2]);
    assert.deepEqual(await namesAt(quimper), ["anne", "dora", "erik"], "nobody was dropped");
    for (const site of mesh.sites) {
      await waitFor(`the end of it at ${site.name}`, 60_000, async () => {
        const { todo } = await site.client.get("/v1/status", statusShape);
        return todo.every(({ command }) => !command.startsWith("pleach operators settle"));
      });
    }
  }));
