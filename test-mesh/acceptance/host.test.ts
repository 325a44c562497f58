/** What every host must answer, shown for the fake one and for this machine. */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import type { Host } from "../../daemon/core/host.ts";
import { LinuxHost } from "../../daemon/inventory/linux-host.ts";
import { FakeHost } from "../fakes/host.ts";

function hostSuite(name: string, host: Host): void {
  test(`${name}: disk, memory, load and uptime are in range`, async () => {
    const disk = await host.diskSpace(tmpdir());
    assert.ok(disk.totalBytes > 0 && disk.freeBytes >= 0 && disk.freeBytes <= disk.totalBytes);
    const memory = await host.memory();
    assert.ok(memory.availableBytes > 0 && memory.availableBytes <= memory.totalBytes);
    const load = await host.load();
    assert.equal(load.length, 3);
    assert.ok(load.every((value) => value >= 0));
    assert.ok((await host.uptimeSeconds()) > 0);
  });

  test(`${name}: has a name, and one boot has one id`, async () => {
    assert.notEqual(host.hostname(), "");
    const bootId = await host.bootId();
    assert.match(bootId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(await host.bootId(), bootId);
  });

  test(`${name}: a path that is not there is refused`, async () => {
    await assert.rejects(host.diskSpace("no/such/path"));
  });
}

hostSuite("fake", new FakeHost());
hostSuite("linux", new LinuxHost());
