/** Rights of sites as operators give and take them, and a site that leaves: with real daemons. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { withMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

async function addresses(site: TestSite, zone: string): Promise<readonly string[]> {
  const { records } = (await site.pleach("dns", "list", zone)) as { records: readonly Json[] };
  return records
    .filter(({ type, origin }) => type === "A" && origin === "edit")
    .map(({ data }) => String(data))
    .toSorted();
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
      await site.pleach("wait", "--for", "mesh", "--timeout", "30s");
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
      await waitFor(`the news at ${site.name}`, 10_000, async () => {
        const { peers } = (await site.pleach("peers")) as { peers: readonly Json[] };
        return peers.find(({ name }) => name === "brest")?.["state"] === "left";
      });
      await site.pleach("wait", "--for", "mesh", "--timeout", "30s");
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
