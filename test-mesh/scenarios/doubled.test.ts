/** Two boxes with one identity: a copy of a data directory runs beside the original. */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { test } from "node:test";
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

    await brest.stop();
    const copy = await mesh.site("copy", { dht: false });
    await cp(brest.dataDirectory, copy.dataDirectory, { recursive: true });
    await Promise.all([brest.start(), copy.start()]);
    await brest.pleach("service", "add", "original", "--address", "192.0.2.2");
    await copy.pleach("service", "add", "twin", "--address", "192.0.2.3");

    for (const site of mesh.sites) {
      const found = await waitFor(`the report of ${site.name}`, 40_000, async () => {
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
  }));
