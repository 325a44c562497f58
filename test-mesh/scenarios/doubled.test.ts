/** Two boxes with one identity: a copy of a data directory runs beside the original. */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { test } from "node:test";
import { conflictsShape } from "../../daemon/control/shapes-conflicts.ts";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { withMesh } from "../harness.ts";
import { waitFor } from "../wait.ts";

test("two boxes with one identity are reported by every node", () =>
  withMesh(async (mesh) => {
    const [quimper, brest, lorient] = await mesh.form(["quimper", "brest", "lorient"], {
      dht: false,
    });
    assert.ok(quimper && brest && lorient);
    await brest.pleach("service", "add", "wiki", "--address", "192.0.2.1");
    for (const site of mesh.sites) await site.pleach("wait", "--for", "mesh");

    // Without the others the two cannot hear of each other: they have one name on the network.
    await Promise.all([brest.stop(), quimper.stop(), lorient.stop()]);
    const copy = await mesh.site("copy", { dht: false });
    await cp(brest.dataDirectory, copy.dataDirectory, { recursive: true });
    await Promise.all([brest.start(), copy.start()]);
    await brest.pleach("service", "add", "original", "--address", "192.0.2.2");
    await copy.pleach("service", "add", "twin", "--address", "192.0.2.3");
    await brest.pleach("service", "add", "mail", "--address", "192.0.2.4");
    await copy.pleach("service", "add", "mail", "--address", "192.0.2.5");
    await Promise.all([quimper.start(), lorient.start()]);

    for (const site of mesh.sites) {
      const found = await waitFor(`the report of ${site.name}`, 60_000, async () => {
        const { todo } = await site.client.get("/v1/status", statusShape);
        return todo.find(({ text }) => text.startsWith("Two boxes run with the identity of brest"));
      });
      assert.match(found.command, /^pleach revoke brest /);
      const { services } = (await site.pleach("service", "list")) as {
        services: readonly { readonly name: string }[];
      };
      // Nothing of either is lost: whoever stops one of them can still look at both.
      const names = new Set(services.map(({ name }) => name));
      assert.ok(names.has("wiki") && names.has("original") && names.has("twin"), site.name);
    }
    // Both wrote one record of brest: brest alone can settle it.
    const atQuimper = conflictsShape.parse(await quimper.pleach("conflicts"));
    const mail = atQuimper.conflicts.find(({ key }) => key === "service/mail");
    assert.deepEqual([mail?.mayKeep, mail?.versions.length], [false, 2]);
    const version = mail?.versions[1]?.id ?? "";
    const elsewhere = await quimper.refused("conflicts", "keep", version);
    assert.deepEqual([elsewhere.exit, elsewhere.error["code"]], [5, "E-CONFLICT-ELSEWHERE"]);
    await copy.stop();
    await brest.pleach("conflicts", "keep", version.slice(0, 12));
    for (const site of [quimper, brest, lorient]) {
      await waitFor(`the settled record at ${site.name}`, 60_000, async () => {
        const { conflicts } = conflictsShape.parse(await site.pleach("conflicts"));
        return conflicts.every(({ key }) => key !== "service/mail");
      });
    }
  }));
