/** A daemon alone: starts, refuses to start wrongly, stops cleanly. */
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { aboutShape } from "../../daemon/control/shapes.ts";
import { withMesh } from "../harness.ts";
import type { Json } from "../test-site.ts";
import { waitFor } from "../wait.ts";

test("answers on its socket and stops cleanly", () =>
  withMesh(async (mesh) => {
    const site = await mesh.site("quimper");
    await site.start();
    const { version, meshId } = await site.client.get("/v1/about", aboutShape);
    assert.match(version, /^\d+\.\d+\.\d+$/);
    assert.equal(meshId, null);
    assert.equal(await site.stop(), 0);
  }));

test("a second daemon on one socket is refused, a socket left behind is replaced", () =>
  withMesh(async (mesh) => {
    const site = await mesh.site("quimper");
    await site.start();
    const { exit, error } = await site.refused("daemon");
    assert.equal(exit, 1);
    assert.equal(error["code"], "E-RUNNING");
    await site.kill();
    await site.start();
  }));

test("without a daemon a command ends with 4", () =>
  withMesh(async (mesh) => {
    const site = await mesh.site("quimper");
    const { exit, error } = await site.refused("events");
    assert.equal(exit, 4);
    assert.equal(error["code"], "E-DAEMON-DOWN");
  }));

test("a site key that others can read is refused and stays as it is", () =>
  withMesh(async (mesh) => {
    const site = await mesh.site("quimper");
    await site.start();
    await site.stop();
    const keyFile = join(site.dataDirectory, "site.key");
    const before = await readFile(keyFile);
    await chmod(keyFile, 0o640);
    const { error } = await site.refused("daemon");
    assert.equal(error["code"], "E-KEY-OPEN");
    assert.deepEqual(await readFile(keyFile), before);
  }));

test("a wrong configuration is told with its line", () =>
  withMesh(async (mesh) => {
    const site = await mesh.site("quimper");
    await writeFile(site.configFile, 'site = "quimper"\n[give]\nspcae = "1 GiB"\n');
    const { exit, error } = await site.refused("daemon");
    assert.equal(exit, 2);
    assert.equal(error["code"], "E-CONFIG-KEY");
    assert.match(String(error["message"]), /pleach\.toml:3: unknown key "spcae" in \[give\]/);
    assert.equal(error["hint"], 'Did you mean "space"?');
  }));

test("a port in use is named, for the mesh and for DNS", () =>
  withMesh(async (mesh) => {
    const first = await mesh.site("quimper");
    await first.start();
    const second = await mesh.site("brest");
    for (const [table, code] of [
      ["mesh", "E-MESH-LISTEN"],
      ["dns", "E-DNS-LISTEN"],
    ] as const) {
      const port = table === "mesh" ? first.meshPort : first.dnsPort;
      const text = [
        `data = ${JSON.stringify(second.dataDirectory)}`,
        `socket = ${JSON.stringify(second.client.socketPath)}`,
        `[${table}]`,
        `listen = ["${first.address}:${port}"]`,
        table === "dns" ? `[mesh]\nlisten = ["${second.address}:${second.meshPort}"]` : "",
      ];
      await writeFile(second.configFile, text.join("\n"));
      const { exit, error } = await second.refused("daemon");
      assert.equal(exit, 1);
      assert.equal(error["code"], code);
      assert.match(String(error["message"]), new RegExp(`${port}`));
    }
  }));

test("a reload takes in a sound configuration and keeps the old one instead of a wrong one", () =>
  withMesh(async (mesh) => {
    const [site] = await mesh.form(["quimper"]);
    assert.ok(site);
    const names = async (): Promise<unknown[]> => {
      const { services } = (await site.pleach("service", "list")) as { services: Json[] };
      return services.map(({ name }) => name);
    };
    await site.configure({ toml: '[[service]]\nname = "wiki"\naddress = "192.0.2.1"' });
    process.kill(site.pid, "SIGHUP");
    await waitFor("the service of the file", 5000, async () => (await names()).includes("wiki"));

    const { error } = await site.refused("service", "remove", "wiki");
    assert.equal(error["code"], "E-SERVICE-CONFIG");

    await site.configure({ toml: '[[servcie]]\nname = "agenda"' });
    process.kill(site.pid, "SIGHUP");
    await waitFor("the complaint", 5000, async () =>
      (await readFile(site.logFile, "utf8")).includes("unknown key"),
    );
    await site.configure({});
    process.kill(site.pid, "SIGHUP");
    await waitFor("no service", 5000, async () => (await names()).length === 0);

    const lines = async (): Promise<string | undefined> => {
      const { areas } = (await site.pleach("status")) as { areas: Json[] };
      return areas.find(({ name }) => name === "Lines")?.["text"] as string | undefined;
    };
    assert.equal(await lines(), undefined);
    // Twelve hours from now by the clock of this machine: closed, whenever the test runs.
    const hour = (new Date().getHours() + 12) % 24;
    const from = `${String(hour).padStart(2, "0")}:00`;
    const hours = `${from}-${String(hour).padStart(2, "0")}:30`;
    await site.configure({ toml: `[[uplink]]\nname = "adsl"\nhours = "${hours}"` });
    process.kill(site.pid, "SIGHUP");
    await waitFor("the line", 5000, async () => (await lines()) === `adsl: waits until ${from}`);
  }));
