/** What goes wrong around joining: each time a clear error, and nothing has changed. */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { foundingFiles, phraseFile } from "../form.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import type { TestSite } from "../test-site.ts";
import { membershipShape } from "../../daemon/control/shapes-membership.ts";
import { parseInvitation, printInvitation } from "../../protocol/messages/invitation.ts";
import { phraseOf } from "../../protocol/keys/recovery-phrase.ts";

interface Scene {
  readonly mesh: TestMesh;
  readonly quimper: TestSite;
  readonly box: TestSite;
}

/** A mesh of one, and a started machine that is in none. */
async function scene(mesh: TestMesh): Promise<Scene> {
  const [quimper] = (await mesh.form(["quimper"])) as [TestSite];
  const box = await mesh.site("box");
  await box.start();
  return { mesh, quimper, box };
}

async function invite({ quimper }: Scene, ...more: readonly string[]): Promise<string> {
  return String((await quimper.pleach("invite", ...more))["code"]);
}

async function refused(
  site: TestSite,
  expected: { readonly code: string; readonly exit: number },
  ...args: readonly string[]
): Promise<string> {
  const { exit, error } = await site.refused(...args);
  assert.deepEqual({ code: error["code"], exit }, expected, JSON.stringify(error));
  assert.equal(typeof error["changed"], "string");
  return `${String(error["message"])} ${String(error["hint"])}`;
}

const JOIN = ["--site", "box", "--owner", "none", "--no-wait"];

test("codes that were used, have expired, were guessed or cut off admit nobody", async () => {
  await withMesh(async (mesh) => {
    const all = await scene(mesh);
    const { quimper, box } = all;
    const other = await mesh.site("other");
    await other.start();
    const short = await invite(all, "--ttl", "1s");
    const used = await invite(all);
    await box.pleach("join", used, ...JOIN);
    await sleep(1100);
    const guessed = printInvitation({ ...parseInvitation(used), secret: new Uint8Array(16) });
    const texts = new Set<string>();
    for (const code of [used, short, guessed]) {
      texts.add(await refused(other, { code: "E-JOIN-CODE", exit: 5 }, "join", code, ...JOIN));
    }
    assert.equal(texts.size, 1, "nobody learns which of the three it was");
    await refused(
      other,
      { code: "E-CODE-CHECK", exit: 1 },
      "join",
      `${used.slice(0, -3)}aaa`,
      ...JOIN,
    );
    await refused(other, { code: "E-CODE-FORM", exit: 1 }, "join", "hello", ...JOIN);
    const { sites } = await quimper.client.get("/v1/membership", membershipShape);
    assert.deepEqual(
      sites.map(({ name }) => name),
      ["quimper"],
    );
  });
});

test("wrong words, a stranger's key and a missing terminal approve nothing", async () => {
  await withMesh(async (mesh) => {
    const all = await scene(mesh);
    const { quimper, box } = all;
    const { operatorKey, passphrase } = foundingFiles(mesh.directory);
    const sign = ["--operator-key", operatorKey, "--passphrase-file", passphrase];
    const { words } = await box.pleach("join", await invite(all), ...JOIN);
    const right = String(words);

    const list = right.split(" ");
    const swapped = [...list.slice(1), list[0]].join(" ");
    const yes = [...sign, "--yes"];
    await refused(quimper, { code: "E-APPLICATION-UNKNOWN", exit: 5 }, "approve", swapped, ...yes);
    const typo = list.with(0, "quimper").join(" ");
    const told = await refused(quimper, { code: "E-WORDS-WORD", exit: 2 }, "approve", typo, ...yes);
    assert.match(told, /"quimper" is not in the list/);
    const five = list.slice(1).join(" ");
    await refused(quimper, { code: "E-WORDS-COUNT", exit: 2 }, "approve", five, ...yes);

    await refused(quimper, { code: "E-USAGE", exit: 2 }, "approve", right, ...sign);
    const noPassphrase = ["approve", right, "--operator-key", operatorKey, "--yes"];
    await refused(quimper, { code: "E-USAGE", exit: 2 }, ...noPassphrase);

    const foreign = join(mesh.directory, "stranger.key");
    const make = ["operators", "new", "--name", "Eve", "--out", foreign];
    await quimper.pleach(...make, "--passphrase-file", passphrase);
    const byStranger = ["--operator-key", foreign, "--passphrase-file", passphrase, "--yes"];
    await refused(quimper, { code: "E-OPERATOR", exit: 5 }, "approve", right, ...byStranger);
    const wrongFile = join(mesh.directory, "wrong-passphrase");
    await writeFile(wrongFile, "not the passphrase\n");
    const byGuess = ["--operator-key", operatorKey, "--passphrase-file", wrongFile, "--yes"];
    await refused(
      quimper,
      { code: "E-OPERATOR-PASSPHRASE", exit: 1 },
      "approve",
      right,
      ...byGuess,
    );

    assert.equal((await box.client.get("/v1/membership", membershipShape)).meshId, null);
    await quimper.pleach("approve", right, "--decline");
    await refused(quimper, { code: "E-APPLICATION-UNKNOWN", exit: 5 }, "approve", right, ...yes);
  });
});

test("a taken name, a wrong phrase and an unknown site are named", async () => {
  await withMesh(async (mesh) => {
    const all = await scene(mesh);
    const { box } = all;
    const code = await invite(all);
    const taken = ["--site", "quimper", "--owner", "none", "--no-wait"];
    const name = await refused(box, { code: "E-JOIN-REFUSED", exit: 5 }, "join", code, ...taken);
    assert.match(name, /Another site .* has this name/);
    const bad = ["--site", "Quimper!", "--owner", "none"];
    await refused(box, { code: "E-USAGE", exit: 2 }, "join", code, ...bad);

    const phrase = phraseOf(Uint8Array.from({ length: 32 }, (_, index) => index)).split(" ");
    const file = join(mesh.directory, "phrase");
    const withPhrase = ["join", code, "--site", "box", "--phrase-file", file, "--no-wait"];
    await writeFile(file, phrase.with(6, "kaouenn").join(" "));
    const word = await refused(box, { code: "E-PHRASE-WORD", exit: 1 }, ...withPhrase);
    assert.match(word, /Word 7, "kaouenn", is not in the list/);
    await writeFile(file, [...phrase.slice(1), phrase[0]].join(" "));
    const order = await refused(box, { code: "E-PHRASE-CHECKSUM", exit: 1 }, ...withPhrase);
    assert.match(order, /checksum/);
    await writeFile(file, phrase.join(" "));
    const owner = await refused(box, { code: "E-USAGE", exit: 2 }, ...withPhrase);
    assert.match(owner, /knows no owner with this phrase/);

    const sheet = phraseFile(mesh.directory, "quimper");
    const replaces = ["--phrase-file", sheet, "--replaces", "vannes", "--no-wait"];
    const site = await refused(
      ...([box, { code: "E-USAGE", exit: 2 }, "join", code, "--site", "box"] as const),
      ...replaces,
    );
    assert.match(site, /has no site "vannes"/);

    const noTerminal = ["join", code, "--site", "box", "--no-wait"];
    await refused(box, { code: "E-USAGE", exit: 2 }, ...noTerminal);
    await box.pleach("join", code, ...JOIN);
  });
});

test("an init that fails leaves no file, and a second one changes nothing", async () => {
  await withMesh(async (mesh) => {
    const { quimper, box } = await scene(mesh);
    const { passphrase } = foundingFiles(mesh.directory);
    const sheet = join(mesh.directory, "there");
    await writeFile(sheet, "something else");
    const init = ["init", "--mesh", "m", "--site", "box", "--passphrase-file", passphrase];
    await refused(box, { code: "E-KEY-FILE", exit: 1 }, ...init, "--phrase-out", sheet);
    assert.equal(await readFile(sheet, "utf8"), "something else");
    assert.deepEqual(await readdir(box.keysDirectory), []);
    const short = join(mesh.directory, "short");
    await writeFile(short, "short\n");
    const weak = ["init", "--mesh", "m", "--passphrase-file", short, "--phrase-out", `${sheet}2`];
    await refused(box, { code: "E-OPERATOR-PASSPHRASE", exit: 2 }, ...weak);
    await refused(box, { code: "E-USAGE", exit: 2 }, ...init);

    const again = ["init", "--mesh", "m", "--passphrase-file", passphrase];
    const out = ["--phrase-out", `${sheet}3`];
    await refused(quimper, { code: "E-MESH-MEMBER", exit: 1 }, ...again, ...out);
    await box.stop();
    await refused(box, { code: "E-DAEMON-DOWN", exit: 4 }, ...init, "--phrase-out", `${sheet}4`);
  });
});
