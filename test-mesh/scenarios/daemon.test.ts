/** A daemon alone: starts, refuses to start wrongly, stops cleanly. */
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { aboutShape } from "../../daemon/control/shapes.ts";
import { withMesh } from "../harness.ts";

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
