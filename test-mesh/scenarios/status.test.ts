/** What `pleach status` says about a data set, from "never ran" to three copies. */
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { statusShape, type Status } from "../../daemon/control/shapes-status.ts";
import { phraseFile } from "../form.ts";
import { withMesh } from "../harness.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

async function status(site: TestSite): Promise<Status & { readonly exit: number | null }> {
  const { exit, stdout } = await site.run(["--json", "status"]);
  return { ...statusShape.parse(JSON.parse(stdout)), exit };
}

function area({ areas }: Status, name: string): string {
  const found = areas.find((each) => each.name === name);
  return `${found?.state} ${found?.text}`;
}

test("never ran, at risk, completed when a site appears, and late", () =>
  withMesh(async (mesh) => {
    const source = join(mesh.directory, "source");
    await mkdir(source);
    await writeFile(join(source, "letter.txt"), "dear all");
    const set = `[[backup]]\nname = "letters"\npaths = [${JSON.stringify(source)}]\n`;
    const quimper = await mesh.site("quimper", { toml: `${set}every = "1h"` });
    const brest = await mesh.site("brest");
    const lorient = await mesh.site("lorient");
    await Promise.all([quimper, brest, lorient].map((site) => site.start()));
    await mesh.found(quimper);
    await mesh.join(quimper, brest);
    await mesh.join(quimper, lorient);

    // As a person does once it is on paper; status would warn of it.
    await rm(phraseFile(mesh.directory, "quimper"));

    const before = await status(quimper);
    assert.equal(before.verdict, "WARNING");
    assert.match(area(before, "Backups"), /^WARNING 0 of 1 sets fresh/);
    assert.match(area(before, "Copies"), /^NONE /);
    assert.deepEqual(
      before.todo.find(({ command }) => command === "pleach backup run letters")?.text,
      "Data set letters never ran.",
    );

    await quimper.pleach("backup", "add", "letters");
    await quimper.pleach("backup", "run", "letters");
    const atRisk = await waitFor("two copies", 60_000, async () => {
      const now = await status(quimper);
      return area(now, "Copies").includes("letters 2 of 3") ? now : undefined;
    });
    assert.equal(atRisk.verdict, "WARNING");
    assert.match(area(atRisk, "Backups"), /^OK 1 of 1 sets fresh/);
    const impatient = await quimper.refused("wait", "--for", "copies", "--timeout", "1s");
    assert.equal(impatient.error["code"], "E-TIMEOUT");

    const vannes = await mesh.site("vannes");
    await vannes.start();
    await mesh.join(quimper, vannes);
    await quimper.pleach("wait", "--for", "mesh,copies", "--timeout", "120s");
    const safe = await status(quimper);
    assert.equal(safe.verdict, "OK", JSON.stringify(safe));
    assert.equal(safe.exit, 0);
    assert.match(
      area(safe, "Copies"),
      /^OK \d+ shards?, each on 3 other sites or more; note: One operator enrolled several/,
    );
    assert.match(safe.alone, /restore 1 of its 1 set/);

    await quimper.configure({ toml: `${set}every = "1s"` });
    process.kill(quimper.pid, "SIGHUP");
    const late = await waitFor("the set to be late", 60_000, async () => {
      const now = await status(quimper);
      return now.verdict === "CRITICAL" ? now : undefined;
    });
    assert.equal(late.exit, 1);
    assert.match(area(late, "Backups"), /^CRITICAL 0 of 1 sets fresh/);

    // A run that fails is told, too, and does not hide the snapshot that there is.
    const toml = `${set}before = ${JSON.stringify(join(mesh.directory, "no-such-hook"))}`;
    await quimper.configure({ toml });
    process.kill(quimper.pid, "SIGHUP");
    await quimper.refused("backup", "run", "letters");
    const failed = await waitFor("the verdict on the failure", 5000, async () => {
      const now = await status(quimper);
      return now.todo.some(({ text }) => text.includes("the last run failed")) ? now : undefined;
    });
    assert.match(area(failed, "Backups"), /^WARNING 1 of 1 sets fresh/);
    assert.doesNotMatch(await readFile(quimper.logFile, "utf8"), /letter\.txt|dear all/);
  }));
