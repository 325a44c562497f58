/** People found a mesh, invite, join, approve and replace a lost site, by the commands alone. */
import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ownerPinShape } from "../owner-pin-shape.ts";
import { foundingFiles, formMesh, joinMesh, phraseFile } from "../form.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";
import { membershipShape } from "../../daemon/control/shapes-membership.ts";
import { deriveOwnerKeys } from "../../protocol/keys/owner-keys.ts";
import { parseRecoverySheet } from "../../protocol/keys/recovery-sheet.ts";

const JOIN_MS = 60_000;

async function started(mesh: TestMesh, ...names: readonly string[]): Promise<TestSite[]> {
  const sites: TestSite[] = [];
  for (const name of names) sites.push(await mesh.site(name));
  await Promise.all(sites.map((site) => site.start()));
  return sites;
}

function membership(site: TestSite) {
  return site.client.get("/v1/membership", membershipShape);
}

async function names(site: TestSite): Promise<string[]> {
  return (await membership(site)).sites.map(({ name }) => name).toSorted();
}

/** The words of an application, as soon as it is made. */
function wordsAt(site: TestSite): Promise<string> {
  return waitFor("six words", JOIN_MS, async () => {
    return (await membership(site)).joining.words ?? undefined;
  });
}

/** The arguments that sign as the operator of a test. */
function signing(mesh: TestMesh): string[] {
  const { operatorKey, passphrase } = foundingFiles(mesh.directory);
  return ["--operator-key", operatorKey, "--passphrase-file", passphrase];
}

test("a mesh is founded, and sites join with new owners and with one that is there", async () => {
  await withMesh(async (mesh) => {
    const [quimper, brest, morlaix] = (await started(mesh, "quimper", "brest", "morlaix")) as [
      TestSite,
      TestSite,
      TestSite,
    ];
    await formMesh([quimper, brest], mesh.directory);

    const { operatorKey } = foundingFiles(mesh.directory);
    assert.equal((await stat(operatorKey)).mode & 0o777, 0o600);
    const sheetFile = phraseFile(mesh.directory, "brest");
    assert.equal((await stat(sheetFile)).mode & 0o777, 0o600);
    const sheet = parseRecoverySheet(await readFile(sheetFile, "utf8"));
    const keys = deriveOwnerKeys(sheet.root);
    const { meshId, owners } = await membership(quimper);
    assert.equal(sheet.meshId, meshId);
    assert.equal(owners.find(({ name }) => name === "brest")?.ownerId, keys.ownerId);
    const warned = await brest.pleach("status");
    assert.match(JSON.stringify(warned["todo"]), /brest\.sheet/);
    const pin = ownerPinShape.parse(
      JSON.parse(await readFile(join(brest.keysDirectory, "owner.json"), "utf8")),
    );
    assert.deepEqual([pin.meshId, pin.ownerId], [meshId, keys.ownerId]);

    await joinMesh(quimper, morlaix, mesh.directory, ["--phrase-file", sheetFile]);
    const sites = (await membership(morlaix)).sites;
    assert.deepEqual(sites.map(({ name }) => name).toSorted(), ["brest", "morlaix", "quimper"]);
    assert.deepEqual(sites.find(({ name }) => name === "morlaix")?.owners, [keys.ownerId]);

    await waitFor("all three to know one another", JOIN_MS, async () => {
      const all = await Promise.all([quimper, brest, morlaix].map(names));
      return all.every((each) => each.length === 3);
    });
  });
});

test("two operators, and an applicant that waits for one of them", async () => {
  await withMesh(async (mesh) => {
    const [quimper, brest, vannes] = (await started(mesh, "quimper", "brest", "vannes")) as [
      TestSite,
      TestSite,
      TestSite,
    ];
    const { operatorKey, passphrase } = foundingFiles(mesh.directory);
    await writeFile(passphrase, "correct horse battery staple\n");
    const anne = join(mesh.directory, "anne.key");
    const withPassphrase = ["--passphrase-file", passphrase];
    await brest.pleach("operators", "new", "--name", "Anne", "--out", anne, ...withPassphrase);
    const sheet = join(mesh.directory, "quimper.sheet");
    await quimper.pleach(
      ...["init", "--mesh", "test", "--operator", `${anne}.pub`, "--operator-out", operatorKey],
      ...[...withPassphrase, "--phrase-out", sheet],
    );
    const { operators } = await quimper.pleach("operators", "list");
    assert.deepEqual(
      (operators as { name: string }[]).map(({ name }) => name),
      ["quimper", "Anne"],
    );

    const code = String((await quimper.pleach("invite"))["code"]);
    const asked = brest.pleach("join", code, "--site", "brest", "--owner", "none");
    const words = await wordsAt(brest);
    const byAnne = ["--operator-key", anne, ...withPassphrase, "--yes"];
    await quimper.pleach("approve", words, ...byAnne, "--no-zones");
    assert.equal((await asked)["state"], "joined");
    await mayEditNothingShared(brest);

    const second = String((await brest.pleach("invite"))["code"]);
    const turnedDown = vannes.refused("join", second, "--site", "vannes", "--owner", "none");
    await brest.pleach("approve", await wordsAt(vannes), "--decline");
    const { exit, error } = await turnedDown;
    assert.deepEqual([exit, error["code"]], [5, "E-JOIN"]);
    assert.deepEqual(await names(brest), ["brest", "quimper"]);
  });
});

/** What a site may not do that was let in with --no-zones: it declares services, and marks none. */
async function mayEditNothingShared(site: TestSite): Promise<void> {
  const zone = await site.refused("dns", "add-zone", "bzh.example");
  assert.equal(zone.error["code"], "E-STATE-RIGHT");
  await site.pleach("service", "add", "wiki", "--address", "192.0.2.1");
  const mark = await site.refused("service", "mark", "wiki", "--site", site.name, "down");
  assert.deepEqual([mark.exit, mark.error["code"]], [5, "E-SERVICE-RIGHT"]);
  assert.match(String(mark.error["hint"]), /pleach grant brest policy mark --operator-key FILE/);
}

test("a new box takes the place of a lost site, with the sheet and an operator", async () => {
  await withMesh(async (mesh) => {
    const [quimper, brest] = (await mesh.form(["quimper", "brest"])) as [TestSite, TestSite];
    const lost = (await membership(brest)).siteId;
    await brest.kill();
    const [box] = (await started(mesh, "box")) as [TestSite];
    const code = String((await quimper.pleach("invite"))["code"]);
    const { words } = await box.pleach(
      ...["join", code, "--site", "brest", "--replaces", "brest", "--no-wait"],
      ...["--phrase-file", phraseFile(mesh.directory, "brest")],
    );
    const approved = await quimper.pleach("approve", String(words), ...signing(mesh), "--yes");
    assert.equal(approved["replaces"], lost);
    await waitFor("the box to be a member", JOIN_MS, async () => {
      return (await membership(box)).meshId !== null;
    });
    const { siteId, sites } = await membership(quimper);
    assert.deepEqual(sites.map(({ name }) => name).toSorted(), ["brest", "quimper"]);
    const brestNow = sites.find(({ name }) => name === "brest");
    assert.equal(brestNow?.replaces, lost);
    assert.notEqual(brestNow?.siteId, lost);

    const sheet = join(mesh.directory, "new.sheet");
    await waitFor("the address of quimper", JOIN_MS, async () => {
      const known = (await membership(box)).sites.find((each) => each.siteId === siteId);
      return (known?.addresses.length ?? 0) > 0;
    });
    const old = phraseFile(mesh.directory, "brest");
    await box.pleach("keys", "sheet", "--phrase-file", old, "--out", sheet);
    const [first = ""] = parseRecoverySheet(await readFile(sheet, "utf8")).addresses;
    assert.match(first, new RegExp(`/ip4/${quimper.address}/tcp/${quimper.meshPort}/p2p/`));
  });
});

test("both daemons are killed between the words and the approval, and nothing is lost", async () => {
  await withMesh(async (mesh) => {
    const [quimper] = (await mesh.form(["quimper"])) as [TestSite];
    const [brest] = (await started(mesh, "brest")) as [TestSite];
    const code = String((await quimper.pleach("invite"))["code"]);
    const { words } = await brest.pleach(
      ...["join", code, "--site", "brest", "--owner", "none", "--no-wait"],
    );
    await Promise.all([quimper.kill(), brest.kill()]);
    await Promise.all([quimper.start(), brest.start()]);
    const waiting = (await membership(brest)).joining;
    assert.deepEqual([waiting.state, waiting.words], ["pending", words]);
    await quimper.pleach("approve", String(words), ...signing(mesh), "--yes");
    await waitFor("brest to be a member", JOIN_MS, async () => {
      return (await membership(brest)).meshId !== null;
    });
    await brest.kill();
    await brest.start();
    assert.deepEqual(await names(brest), ["brest", "quimper"]);
  });
});
