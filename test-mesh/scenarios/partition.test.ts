/**
 * Two halves of four real daemons are cut apart for 60 seconds of real time, and both are edited. Ten
 * seconds after healing all show the same view and serve the same serials.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import type { Gate } from "../gate.ts";
import { GatedMesh, upAt } from "../gated-mesh.ts";
import { withMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const CUT_MS = 60_000;
const HEALED_WITHIN_MS = 10_000;
const NAMES = ["quimper", "brest", "lorient", "vannes"];

/** What has to be equal everywhere: the hash of the view and the serial of each zone. */
async function shownBy(site: TestSite): Promise<string> {
  const { viewHash, zones } = await site.client.get("/v1/status", statusShape);
  assert.notEqual(viewHash, null);
  return `${viewHash} ${zones.map(({ name, serial }) => `${name} ${serial}`).join()}`;
}

async function shownByAll(sites: readonly TestSite[]): Promise<ReadonlySet<string>> {
  return new Set(await Promise.all(sites.map(shownBy)));
}

test("two halves cut apart for 60 s, both edited, show the same 10 s after healing", (t) =>
  withMesh(async (mesh) => {
    const gates: Gate[] = [];
    t.after(() => gates.forEach((gate) => gate.close()));
    const gated = await GatedMesh.form(mesh, NAMES, gates);
    const { sites } = gated;
    const [quimper, brest, lorient, vannes] = sites;
    assert.ok(quimper && brest && lorient && vannes);
    await quimper.pleach("dns", "add-zone", "bzh.example");
    await waitFor("one view and the zone", 60_000, async () => {
      const shown = await shownByAll(sites);
      return shown.size === 1 && [...shown].every((each) => each.includes("bzh.example"));
    });

    gated.cut([quimper, brest], [lorient, vannes]);
    const cutAtMs = performance.now();
    await waitFor(
      "the cut at quimper",
      60_000,
      async () => (await upAt(quimper)).join() === "brest",
    );
    await waitFor(
      "the cut at vannes",
      60_000,
      async () => (await upAt(vannes)).join() === "lorient",
    );

    await brest.pleach("service", "add", "wiki", "--address", "192.0.2.1");
    await quimper.pleach("dns", "set", "www.bzh.example", "A", "192.0.2.80");
    await lorient.pleach("service", "add", "agenda", "--address", "192.0.2.2");
    await vannes.pleach("dns", "set", "www.bzh.example", "A", "198.51.100.80");
    await vannes.pleach("dns", "set", "mail.bzh.example", "A", "198.51.100.25");
    await brest.pleach("dns", "set", "alias.bzh.example", "CNAME", "www.bzh.example.");
    await vannes.pleach("dns", "set", "alias.bzh.example", "CNAME", "mail.bzh.example.");
    for (const [site, target] of [
      [brest, "www.bzh.example."],
      [vannes, "mail.bzh.example."],
    ] as const) {
      await site.pleach("dns", "set", "in.bzh.example", "CNAME", target, "--view", "mesh");
    }
    await sleep(CUT_MS - (performance.now() - cutAtMs));
    assert.equal((await shownByAll([quimper, brest])).size, 1, "each half agrees");
    assert.equal((await shownByAll([lorient, vannes])).size, 1);
    assert.equal((await shownByAll(sites)).size, 2, "and the halves differ");
    assert.ok(
      gates.every(({ turnedAway }) => turnedAway > 0),
      "they kept trying",
    );

    gated.heal();
    const healedAtMs = performance.now();
    await waitFor("one view after healing", HEALED_WITHIN_MS, async () => {
      return (await shownByAll(sites)).size === 1;
    });
    const tookMs = Math.round(performance.now() - healedAtMs);
    t.diagnostic(`equal ${tookMs} ms after healing`);
    assert.ok(tookMs <= HEALED_WITHIN_MS);
    for (const site of sites) {
      const { services } = (await site.pleach("service", "list")) as { services: readonly Json[] };
      assert.deepEqual(services.map(({ name }) => String(name)).toSorted(), ["agenda", "wiki"]);
    }

    // Both made an alias of one name: one is shown, and a person keeps the other.
    const { conflicts } = await lorient.pleach("dns", "list", "bzh.example", "--conflicts");
    const found = conflicts as readonly Json[];
    assert.deepEqual(found.map(({ name, view }) => `${String(name)} ${String(view)}`).toSorted(), [
      "alias.bzh.example public",
      "in.bzh.example mesh",
    ]);
    const conflict = found.find(({ name }) => name === "alias.bzh.example");
    const { todo } = await quimper.client.get("/v1/status", statusShape);
    assert.ok(todo.some(({ text }) => text === "2 records were changed at two sites at once."));
    const [shown, lost] = (conflict?.["versions"] ?? []) as readonly Json[];
    const from = String(lost?.["site"]);
    await lorient.pleach("dns", "keep", "alias.bzh.example", "CNAME", "--from", from);
    const inner = ["dns", "keep", "in.bzh.example", "CNAME", "--from", "vannes"];
    assert.equal((await lorient.refused(...inner)).error["code"], "E-UNKNOWN");
    await lorient.pleach(...inner, "--view", "mesh");
    await waitFor("the kept alias everywhere", 60_000, async () => {
      const answers = sites.map((site) => site.pleach("dns", "list", "bzh.example"));
      return (await Promise.all(answers)).every(({ records }) =>
        (records as readonly Json[]).some(
          ({ name, data }) =>
            name === "alias" && data === (lost?.["value"] as Json | undefined)?.["data"],
        ),
      );
    });
    assert.notEqual(from, shown?.["site"]);
    const none = await quimper.refused("dns", "keep", "www.bzh.example", "A", "--from", from);
    assert.equal(none.error["code"], "E-UNKNOWN");
  }));
