import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { FakeHost } from "../../test-mesh/fakes/host.ts";
import { waitFor } from "../../test-mesh/wait.ts";
import { silentLogger } from "../observe/log.ts";
import { DiskGuard, SpaceError } from "./disk-guard.ts";

const MIB = 2 ** 20;

async function withGuard(
  freeBytes: number,
  act: (world: {
    host: FakeHost;
    time: FakeTime;
    directory: string;
    start: () => Promise<DiskGuard>;
  }) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pl-disk-"));
  const host = new FakeHost();
  // A twentieth of 100 MiB: a ballast of 5 MiB, and writes end at 2.5 MiB.
  host.disk = { totalBytes: 100 * MIB, freeBytes };
  const time = new FakeTime();
  const start = () => DiskGuard.start({ directory, host, clock: time.clock(), log: silentLogger });
  try {
    await act({ host, time, directory, start });
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("keeps a ballast on a disk with room, and takes writes", () =>
  withGuard(50 * MIB, async ({ directory, start }) => {
    const guard = await start();
    await guard.require(10 * MIB);
    const { size } = await waitFor("the ballast", 5000, () =>
      stat(join(directory, "ballast")).catch(() => undefined),
    );
    assert.equal(size, 5 * MIB);
    await guard.prepareStop();
    assert.deepEqual(await readdir(directory), ["ballast"]);
  }));

test("refuses a write that would leave less than the reserve", () =>
  withGuard(50 * MIB, async ({ start }) => {
    const guard = await start();
    await assert.rejects(guard.require(48 * MIB), SpaceError);
    await guard.require(40 * MIB);
    await guard.prepareStop();
  }));

test("gives up the ballast when the disk has become full, and takes it again", () =>
  withGuard(50 * MIB, async ({ host, time, directory, start }) => {
    const ballast = join(directory, "ballast");
    const there = () =>
      stat(ballast).then(
        () => true,
        () => false,
      );
    const first = await start();
    await waitFor("the ballast", 5000, there);
    host.disk = { ...host.disk, freeBytes: MIB };
    await time.advance(6000);
    assert.equal(first.status().full, true);
    await assert.rejects(first.require(), { code: "E-NO-SPACE" });
    assert.equal(await there(), true);
    await first.prepareStop();
    assert.equal(await there(), false);

    // The ballast's room is free now, but it is not for new writes.
    host.disk = { ...host.disk, freeBytes: 6 * MIB };
    const second = await start();
    assert.equal(second.status().full, true);
    await assert.rejects(second.require(), { code: "E-NO-SPACE" });

    host.disk = { ...host.disk, freeBytes: 50 * MIB };
    await time.advance(6000);
    await second.require();
    await waitFor("the ballast", 5000, there);
    await second.prepareStop();
  }));
