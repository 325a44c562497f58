/** Three real daemons: found, invite, join, approve, and share what each says about itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

async function serviceSeenBy(site: TestSite, name: string): Promise<Json | undefined> {
  const { services } = (await site.pleach("service", "list")) as { services: readonly Json[] };
  return services.find((service) => service["name"] === name);
}

async function confirmedBy(site: TestSite, name: string): Promise<readonly string[]> {
  const service = await serviceSeenBy(site, name);
  return (service?.["confirmedBy"] ?? []) as readonly string[];
}

/** What `dig +short` prints, without the end of its line. */
async function dig(site: TestSite, name: string, type = "A"): Promise<string> {
  const where = [`@${site.address}`, "-p", String(site.dnsPort)];
  const { stdout } = await runProcess("dig", [...where, "+short", "+tries=1", name, type]);
  return stdout.trim();
}

test("three sites join, and a service declared at one is seen and confirmed by all", () =>
  withMesh(async (mesh) => {
    const [quimper, brest, lorient] = await mesh.form(["quimper", "brest", "lorient"]);
    assert.ok(quimper && brest && lorient);
    for (const site of mesh.sites) await site.pleach("wait", "--for", "mesh", "--timeout", "120s");

    const address = ["--address", "192.0.2.14", "--port", "https:443"];
    await brest.pleach("service", "add", "wiki", ...address);
    for (const site of [quimper, lorient]) {
      const seen = await waitFor(`wiki at ${site.name}`, 5000, () => serviceSeenBy(site, "wiki"));
      assert.equal(seen["site"], "brest");
      assert.deepEqual(seen["addresses"], ["192.0.2.14"]);
    }
    await waitFor("the confirmation", 5000, async () => {
      return (await confirmedBy(brest, "wiki")).length === 2;
    });

    const taken = await brest.refused("service", "add", "wiki", ...address);
    assert.equal(taken.error["code"], "E-SERVICE-TAKEN");

    await quimper.pleach("dns", "add-zone", "bzh.example");
    await quimper.pleach("dns", "set", "www.bzh.example", "A", "192.0.2.80");
    for (const site of mesh.sites) {
      for (const [name, data] of [
        ["www.bzh.example", "192.0.2.80"],
        ["wiki.bzh.example", "192.0.2.14"],
        ["wiki.brest.bzh.example", "192.0.2.14"],
      ] as const) {
        await waitFor(
          `${name} at ${site.name}`,
          5000,
          async () => (await dig(site, name)) === data,
        );
      }
    }
    for (const site of mesh.sites) await site.pleach("wait", "--for", "dns", "--timeout", "120s");

    const hashes = await Promise.all(mesh.sites.map((site) => site.pleach("status")));
    assert.equal(new Set(hashes.map((status) => status["viewHash"])).size, 1);
    for (const site of mesh.sites) assert.equal(await site.stop(), 0);
  }));

test("a node whose peers are gone starts alone, shows all, and takes provisional edits", () =>
  withMesh(async (mesh) => {
    const [quimper, brest] = await mesh.form(["quimper", "brest"]);
    assert.ok(quimper && brest);
    await brest.pleach("service", "add", "wiki", "--address", "192.0.2.14");
    await waitFor("wiki at quimper", 5000, () => serviceSeenBy(quimper, "wiki"));
    await brest.stop();
    await quimper.kill();
    await quimper.start();
    assert.notEqual(await serviceSeenBy(quimper, "wiki"), undefined);
    await quimper.pleach("service", "add", "agenda", "--address", "192.0.2.15");
    assert.deepEqual(await confirmedBy(quimper, "agenda"), []);

    await brest.start();
    await waitFor("agenda at brest", 60_000, () => serviceSeenBy(brest, "agenda"));
    await waitFor("the confirmation", 5000, async () => {
      return (await confirmedBy(quimper, "agenda")).includes("brest");
    });
  }));
