/** Rights of sites as operators give and take them, and a site that leaves: with real daemons. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { statementSetShape } from "../../daemon/control/shapes-decisions.ts";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { foundingFiles } from "../form.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

function signed(mesh: TestMesh): readonly string[] {
  const { operatorKey, passphrase } = foundingFiles(mesh.directory);
  return ["--operator-key", operatorKey, "--passphrase-file", passphrase, "--yes"];
}

async function addresses(site: TestSite, zone: string): Promise<readonly string[]> {
  const { records } = (await site.pleach("dns", "list", zone)) as { records: readonly Json[] };
  return records
    .filter(({ type, origin }) => type === "A" && origin === "edit")
    .map(({ data }) => String(data))
    .toSorted();
}

/** Waits until two sites know the same statements. */
async function sameDecisions(one: TestSite, other: TestSite): Promise<void> {
  const known = async (site: TestSite): Promise<string> => {
    const { statements } = await site.client.get("/v1/decisions", statementSetShape);
    return statements.toSorted().join();
  };
  await waitFor(`the decisions of ${one.name} at ${other.name}`, 60_000, async () => {
    const [ours, theirs] = await Promise.all([known(one), known(other)]);
    return ours === theirs;
  });
}

test("a right that is taken back ends edits, and what was cut with it comes back nowhere", () =>
  withMesh(async (mesh) => {
    const [quimper, brest] = await mesh.form(["quimper", "brest"], { dht: false });
    assert.ok(quimper && brest);
    await quimper.pleach("dns", "add-zone", "bzh.example");
    await quimper.pleach("dns", "set", "www.bzh.example", "A", "192.0.2.1");
    await waitFor("the zone at brest", 60_000, async () =>
      (await addresses(brest, "bzh.example")).includes("192.0.2.1"),
    );
    await brest.pleach("dns", "add", "www.bzh.example", "A", "192.0.2.2");
    const both = ["192.0.2.1", "192.0.2.2"];
    await waitFor("brest's record at quimper", 60_000, async () =>
      (await addresses(quimper, "bzh.example")).includes("192.0.2.2"),
    );

    const sign = signed(mesh);
    const shown = await quimper.pleach("ungrant", "brest", "zone", "--all", "--dry-run");
    assert.equal(shown["state"], "dry-run");
    const done = await quimper.pleach("ungrant", "brest", "zone", "--all", ...sign);
    assert.equal(done["state"], "ungranted");
    await sameDecisions(quimper, brest);
    const refused = await brest.refused("dns", "add", "www.bzh.example", "A", "192.0.2.3");
    assert.deepEqual([refused.exit, refused.error["code"]], [5, "E-STATE-RIGHT"]);
    assert.deepEqual(await addresses(brest, "bzh.example"), both, "what it wrote before stays");
    assert.deepEqual(await addresses(quimper, "bzh.example"), both);
    const none = await quimper.refused("ungrant", "brest", "zone", "--all", ...sign);
    assert.equal(none.error["code"], "E-DECISION");

    await quimper.pleach("grant", "brest", "zone", "bzh.example", ...sign);
    await sameDecisions(quimper, brest);
    await brest.pleach("dns", "add", "www.bzh.example", "A", "192.0.2.4");
    const other = await brest.refused("dns", "add-zone", "other.example");
    assert.equal(other.error["code"], "E-STATE-RIGHT", "the right is for one zone");
    await waitFor("it at quimper", 60_000, async () =>
      (await addresses(quimper, "bzh.example")).includes("192.0.2.4"),
    );
    await heldUp(quimper, brest, sign);
  }));

/** What a suspended site writes is kept, shown nowhere, told in status, and shown after all. */
async function heldUp(quimper: TestSite, brest: TestSite, sign: readonly string[]): Promise<void> {
  await quimper.pleach("suspend", "brest", "--site", ...sign);
  await sameDecisions(quimper, brest);
  await brest.pleach("dns", "add", "www.bzh.example", "A", "192.0.2.5");
  await waitFor("what is held up, in status", 60_000, async () => {
    const { todo } = await quimper.client.get("/v1/status", statusShape);
    return todo.some(({ text }) => /The site brest is suspended by .*[1-9]\d* held up/.test(text));
  });
  assert.ok(!(await addresses(quimper, "bzh.example")).includes("192.0.2.5"));
  await quimper.pleach("unsuspend", "brest", "--site", ...sign);
  for (const site of [quimper, brest]) {
    await waitFor(`it at ${site.name} after all`, 60_000, async () =>
      (await addresses(site, "bzh.example")).includes("192.0.2.5"),
    );
  }
  const { todo } = await quimper.client.get("/v1/status", statusShape);
  assert.ok(!todo.some(({ text }) => text.includes("is suspended")));
}

test("a site shows what it holds, leaves, and is a member nowhere", () =>
  withMesh(async (mesh) => {
    const [quimper, brest, lorient] = await mesh.form(["quimper", "brest", "lorient"], {
      dht: false,
    });
    assert.ok(quimper && brest && lorient);
    await brest.pleach("service", "add", "wiki", "--address", "192.0.2.9");
    await brest.pleach("dns", "add-zone", "bzh.example");
    await brest.pleach("dns", "set", "www.bzh.example", "A", "192.0.2.1");
    for (const site of mesh.sites) {
      await site.pleach("wait", "--for", "mesh", "--timeout", "120s");
    }
    const before = await brest.pleach("leave", "--dry-run");
    assert.deepEqual(
      [before["state"], before["site"], before["heldFor"]],
      ["dry-run", "brest", []],
    );
    const noTerminal = await brest.refused("leave");
    assert.equal(noTerminal.error["code"], "E-USAGE");

    const left = await brest.pleach("leave", "--yes");
    assert.deepEqual((left["told"] as string[]).toSorted(), ["lorient", "quimper"]);
    for (const site of [quimper, lorient]) {
      await waitFor(`the news at ${site.name}`, 60_000, async () => {
        const { peers } = (await site.pleach("peers")) as { peers: readonly Json[] };
        return peers.find(({ name }) => name === "brest")?.["state"] === "left";
      });
      await site.pleach("wait", "--for", "mesh", "--timeout", "120s");
      assert.deepEqual(await addresses(site, "bzh.example"), ["192.0.2.1"], "what it wrote stays");
      assert.deepEqual((await site.pleach("service", "list"))["services"], [], "what it ran goes");
    }
    const { todo } = await brest.client.get("/v1/status", statusShape);
    assert.ok(todo.some(({ text }) => text.startsWith("This site has left the mesh")));
    const late = await brest.refused("service", "add", "late", "--address", "192.0.2.9");
    assert.equal(late.exit, 5);
    const again = await brest.refused("leave", "--yes");
    assert.equal(again.error["code"], "E-LEAVE");
  }));
