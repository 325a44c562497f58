/** Copies lie where their owner allows, between real daemons; what is no longer allowed moves. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { copiesShape, keptShape } from "../../daemon/control/shapes-backup.ts";
import { admit, foundingFiles } from "../form.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const shown = z.looseObject({ copies: copiesShape });
const LIMIT_MS = 60_000;

async function joined(mesh: TestMesh, member: TestSite, name: string, country: string) {
  const site = await mesh.site(name, { dns: false, dht: false });
  await site.start();
  const more = ["--owner", "none", "--country", country];
  await admit(member, site, foundingFiles(mesh.directory), ...more);
  return site;
}

async function copiesAt(site: TestSite) {
  return shown.parse(await site.pleach("backup", "show", "web")).copies;
}

/** Waits until the set is safe at exactly these sites. */
async function untilAt(site: TestSite, names: readonly string[]): Promise<void> {
  await waitFor(`copies at ${names.join(", ")}`, LIMIT_MS, async () => {
    const copies = await copiesAt(site);
    const at = copies.holders.map(({ name }) => name).toSorted();
    if (!copies.safe || at.join() !== names.join()) throw new Error(JSON.stringify(copies));
    return true;
  });
}

test("a rule about countries moves a copy, and the site that had it lets go in its time", () =>
  withMesh(async (mesh) => {
    const quimper = await mesh.site("quimper", { dns: false, dht: false });
    await quimper.start();
    await mesh.found(quimper);
    const data = join(mesh.directory, "web");
    await mkdir(data);
    await writeFile(join(data, "page"), randomBytes(100_000));
    const configured = (rules: string) =>
      quimper.configure({
        ...{ dns: false, dht: false },
        toml: `[[backup]]\nname = "web"\npaths = [${JSON.stringify(data)}]\ncopies = 2\n${rules}`,
      });
    await joined(mesh, quimper, "brest", "FR");
    const vannes = await joined(mesh, quimper, "vannes", "US");
    await quimper.pleach("wait", "--for", "mesh", "--timeout", "120s");

    await configured('countries = ["FRANCE"]');
    const wrong = await quimper.refused("backup", "run", "web");
    assert.equal(wrong.exit, 2);
    assert.match(String(wrong.error["message"]), /must be a country/);

    await configured("");
    await quimper.pleach("backup", "run", "web");
    await untilAt(quimper, ["brest", "vannes"]);

    await configured('not_countries = ["US"]\nholders = ["brest", "vannes", "rennes"]');
    const told = await quimper.pleach("backup", "rules", "web");
    assert.deepEqual(told["unknown"], ["rennes"]);
    const lacking = await waitFor("the lack", LIMIT_MS, async () => {
      const copies = await copiesAt(quimper);
      return copies.concerns.some((text) => text.startsWith("vannes is in a country")) && copies;
    });
    // It still has everything: no copy is given up before there is another.
    assert.ok(lacking.safe);
    const rennes = await joined(mesh, quimper, "rennes", "IE");
    await untilAt(quimper, ["brest", "rennes"]);

    // The holder looks at what it keeps soon after its start.
    await vannes.stop();
    await vannes.start();
    const kept = await waitFor("the release", LIMIT_MS, async () => {
      const { sets } = keptShape.parse(await vannes.pleach("backup", "kept"));
      return sets[0]?.letGo !== null && sets[0];
    });
    assert.equal(kept.letGo?.groups, 1);
    assert.ok(kept.letGo.inMs > 43 * 86_400_000, "lock and trash come first");
    assert.ok(kept.heldBytes > 0);
    const ofRennes = keptShape.parse(await rennes.pleach("backup", "kept"));
    assert.equal(ofRennes.owners[0]?.waitingFor, null);
    for (const [site, needed] of [
      [vannes, 0],
      [rennes, 1],
    ] as const) {
      assert.equal((await site.pleach("leave", "--dry-run"))["neededSets"], needed, site.name);
    }
  }));
