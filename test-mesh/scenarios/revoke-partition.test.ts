/**
 * A site is revoked while the mesh is cut in two, with edits on both sides: its links are cut at once,
 * and ten seconds after healing every honest node shows what there would be had the cut entries never
 * been. Real daemons, gates for the partition.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { foundingFiles } from "../form.ts";
import type { Gate } from "../gate.ts";
import { GatedMesh, upAt } from "../gated-mesh.ts";
import { withMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const HEALED_WITHIN_MS = 10_000;
const ZONE = "bzh.example";

/** Edited records as `name data`. */
async function records(site: TestSite): Promise<readonly string[]> {
  const { records: all } = (await site.pleach("dns", "list", ZONE)) as {
    records: readonly Json[];
  };
  return all
    .filter(({ type, origin }) => type === "TXT" && origin === "edit")
    .map(({ name, data }) => `${String(name)} ${String(data)}`)
    .toSorted();
}

async function set(site: TestSite, name: string, text: string): Promise<void> {
  await site.pleach("dns", "set", `${name}.${ZONE}`, "TXT", text);
}

async function viewOf(site: TestSite): Promise<string> {
  const { viewHash, zones } = await site.client.get("/v1/status", statusShape);
  return `${viewHash} ${zones.map(({ name, serial }) => `${name} ${serial}`).join()}`;
}

async function showAlike(sites: readonly TestSite[]): Promise<boolean> {
  return new Set(await Promise.all(sites.map(viewOf))).size === 1;
}

test("revoked during a partition with edits on both sides: exact on all nodes after healing", (t) =>
  withMesh(async (mesh) => {
    const gates: Gate[] = [];
    t.after(() => gates.forEach((gate) => gate.close()));
    const names = ["quimper", "brest", "lorient", "vannes"];
    const gated = await GatedMesh.form(mesh, names, gates, { dht: false });
    const [quimper, brest, lorient, vannes] = gated.sites;
    assert.ok(quimper && brest && lorient && vannes);
    await quimper.pleach("dns", "add-zone", ZONE);
    await set(quimper, "mail", "by quimper");
    await waitFor("the zone at vannes", 60_000, async () =>
      (await records(vannes)).includes('mail "by quimper"'),
    );
    await set(vannes, "before", "by vannes");
    await waitFor("one view", 60_000, () => showAlike(gated.sites));
    const honestUntil = new Date().toISOString();

    // From here on vannes is in the hands of somebody else.
    await set(vannes, "mail", "stolen");
    await waitFor("the theft everywhere", 60_000, async () =>
      (await records(brest)).includes('mail "stolen"'),
    );
    gated.cut([quimper, brest], [lorient, vannes]);
    await waitFor(
      "the cut at quimper",
      60_000,
      async () => (await upAt(quimper)).join() === "brest",
    );
    await set(vannes, "late", "by vannes");
    await waitFor("it at lorient", 60_000, async () =>
      (await records(lorient)).includes('late "by vannes"'),
    );
    await set(lorient, "honest", "by lorient");

    const { operatorKey, passphrase } = foundingFiles(mesh.directory);
    const revoke = ["revoke", "vannes", "--site", "--since", honestUntil];
    const shown = await quimper.pleach(...revoke, "--dry-run");
    assert.match(JSON.stringify(shown["words"]), /Is cut .*1 entry/);
    const words = (shown["words"] as readonly string[]).join(" ").replaceAll(/\s+/g, " ");
    assert.match(
      words,
      /Vanish 1 record: zone bzh\.example\/mail\/TXT/,
      "the one that it put there",
    );
    assert.match(words, /Return 1 record to what was there before: zone bzh\.example\/mail\/TXT/);
    const signed = ["--operator-key", operatorKey, "--passphrase-file", passphrase, "--yes"];
    const done = await quimper.pleach(...revoke, ...signed);
    assert.equal(done["state"], "counts");
    assert.deepEqual(await records(quimper), ['before "by vannes"', 'mail "by quimper"']);
    await set(quimper, "after", "by quimper");

    gated.heal();
    const healedAtMs = performance.now();
    const honest = [quimper, brest, lorient];
    const expected = [
      'after "by quimper"',
      'before "by vannes"',
      'honest "by lorient"',
      'mail "by quimper"',
    ];
    await waitFor("one view of the honest nodes", HEALED_WITHIN_MS, async () => {
      if (!(await showAlike(honest))) return false;
      return (
        (await viewOf(lorient)) === (await viewOf(quimper)) &&
        (await records(lorient)).join() === expected.join()
      );
    });
    const tookMs = Math.round(performance.now() - healedAtMs);
    t.diagnostic(`exact ${tookMs} ms after healing`);
    assert.ok(tookMs <= HEALED_WITHIN_MS);
    for (const site of honest) assert.deepEqual(await records(site), expected, site.name);
    await waitFor("the end of vannes' last link", 5_000, async () => {
      const links = await Promise.all(honest.map(upAt));
      return links.every((all) => !all.includes("vannes"));
    });
    const { peers } = (await lorient.pleach("peers")) as { peers: readonly Json[] };
    assert.equal(peers.find(({ name }) => name === "vannes")?.["state"], "revoked");

    // Nobody speaks to vannes any more, and it knows why all the same: from those who hung up.
    await waitFor("vannes to know that it is revoked", 60_000, async () => {
      const { areas, todo } = await vannes.client.get("/v1/status", statusShape);
      const critical = areas.some(({ name, state }) => name === "Members" && state === "CRITICAL");
      return critical && todo.some(({ text }) => text.includes("was revoked"));
    });
    const late = await vannes.refused("dns", "set", `later.${ZONE}`, "TXT", "by vannes");
    assert.match(JSON.stringify(late.error), /expelled/);
    await lorient.pleach("wait", "--for", "mesh", "--timeout", "120s");
    for (const site of honest) assert.deepEqual(await records(site), expected, site.name);
  }));
