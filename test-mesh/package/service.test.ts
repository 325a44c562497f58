/**
 * Pleach on a real Debian 12: installed, killed, rebooted, installed again, taken off.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Container } from "./container.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const UNITS = join(REPOSITORY, "scripts/service");

/** Highest allowed exposure by `systemd-analyze security`, times ten. */
const THRESHOLDS = {
  "pleach.service": 20,
  "pleach-backup@.service": 15,
  "pleach-facts.service": 20,
};

describe("units", () => {
  for (const [unit, threshold] of Object.entries(THRESHOLDS)) {
    it(`${unit} is exposed by at most ${threshold / 10}`, () => {
      const result = spawnSync(
        "systemd-analyze",
        ["security", "--offline=true", "--no-pager", `--threshold=${threshold}`, join(UNITS, unit)],
        { encoding: "utf8" },
      );
      assert.equal(result.status, 0, result.stdout.slice(-300) + result.stderr);
    });
  }
});

describe("a booted Debian 12", { timeout: 900_000 }, () => {
  let debian: Container;
  before(async () => {
    debian = await Container.boot(REPOSITORY);
  });
  after(async () => {
    await debian.remove();
  });

  const until = async (what: string, limitMs: number, done: () => boolean): Promise<number> => {
    const fromMs = Date.now();
    while (!done()) {
      const journal = (): string => debian.run("journalctl", "-n", "60", "--no-pager").stdout;
      if (Date.now() - fromMs > limitMs)
        assert.fail(`${what} not within ${limitMs} ms\n${journal()}`);
      await sleep(200);
    }
    return Date.now() - fromMs;
  };
  const answers = (): boolean =>
    [0, 1].includes(debian.run("pleach", "status", "--json").status ?? -1);
  const snapshots = (): number => {
    const { stdout } = debian.run("pleach", "backup", "list", "--json");
    const { sets } = JSON.parse(stdout) as { sets: { head: { number: number } | null }[] };
    return sets[0]?.head?.number ?? 0;
  };

  it("installs and starts", async () => {
    debian.must("/opt/pleach/scripts/install", "--site", "quimper");
    await until("an answer", 10_000, answers);
    assert.equal(debian.must("systemctl", "is-active", "pleach.service").trim(), "active");
    assert.equal(
      debian.must("stat", "-c", "%a %U %G", "/run/pleach/pleach.sock").trim(),
      "660 pleach pleach",
    );
    assert.equal(debian.must("stat", "-c", "%a", "/run/pleach").trim(), "750");
  });

  it("founds a mesh and backs up by its timer", async () => {
    debian.must("sh", "-c", "umask 077; echo 'a long passphrase for tests' >/root/passphrase");
    debian.must(
      "pleach",
      "init",
      ...["--mesh", "entraide", "--site", "quimper", "--operator-out", "/root/operator.key"],
      ...["--passphrase-file", "/root/passphrase", "--phrase-out", "/root/sheet", "--json"],
    );
    debian.must("sh", "-c", "mkdir -p /srv/data && cp -a /etc /srv/data/ && chmod 0700 /srv/data");
    debian.must("mkdir", "-p", "/etc/systemd/system/pleach-backup@data.timer.d");
    debian.must(
      "sh",
      "-c",
      "printf '[Timer]\\nOnBootSec=\\nOnActiveSec=1s\\nRandomizedDelaySec=0\\nAccuracySec=100ms\\n'" +
        " >/etc/systemd/system/pleach-backup@data.timer.d/soon.conf",
    );
    debian.must("pleach", "backup", "add", "data", "--path", "/srv/data", "--every", "1h");
    await until("the first snapshot by the timer", 60_000, () => snapshots() === 1);
    const runs = debian.must("journalctl", "-u", "pleach-backup@data.service", "--no-pager");
    assert.match(runs, /pleach-backup@data|Pleach backup of data/);
  });

  it("keeps keys and source from the daemon's user and the socket from others", () => {
    for (const path of ["/etc/pleach/keys", "/srv/data", "/etc/pleach/keys/owner.json"]) {
      const { status, stderr } = debian.run("runuser", "-u", "pleach", "--", "ls", path);
      assert.notEqual(status, 0);
      assert.match(stderr, /Permission denied/);
    }
    const other = debian.run("runuser", "-u", "nobody", "--", "pleach", "status");
    assert.equal(other.status, 4, other.stderr);
  });

  it("is back within 10 s of kill -9", async () => {
    const pid = debian.must("systemctl", "show", "-P", "MainPID", "pleach.service").trim();
    debian.must("kill", "-9", pid);
    await sleep(100);
    const backMs = await until("the daemon", 10_000, () => {
      const now = debian.run("systemctl", "show", "-P", "MainPID", "pleach.service").stdout.trim();
      return now !== pid && now !== "0" && answers();
    });
    console.log(`figure service.back_after_kill_seconds ${(backMs + 100) / 1000}`);
    assert.equal(snapshots(), 1);
  });

  it("comes back with all after a reboot", async () => {
    await debian.reboot();
    await until("an answer", 30_000, answers);
    await until("the snapshot", 10_000, () => snapshots() >= 1);
    assert.equal(
      debian.must("systemctl", "is-enabled", "pleach-backup@data.timer").trim(),
      "enabled",
    );
  });

  it("loses nothing when installed again", async () => {
    const config = debian.must("cat", "/etc/pleach/pleach.toml");
    const mesh = debian.must("pleach", "status", "--json");
    debian.must("/opt/pleach/scripts/install");
    await until("an answer", 10_000, answers);
    assert.equal(debian.must("cat", "/etc/pleach/pleach.toml"), config);
    const meshId = (text: string): unknown => (JSON.parse(text) as { meshId: unknown }).meshId;
    assert.notEqual(meshId(mesh), undefined);
    assert.equal(meshId(debian.run("pleach", "status", "--json").stdout), meshId(mesh));
    assert.ok(snapshots() >= 1);
    debian.must("pleach", "restore", "data", "--to", "/root/back");
    debian.must("diff", "-r", "--no-dereference", "/srv/data/etc", "/root/back/srv/data/etc");
  });

  it("goes without taking data along", () => {
    debian.must("/opt/pleach/scripts/install", "--remove");
    assert.notEqual(debian.run("systemctl", "is-active", "pleach.service").status, 0);
    assert.ok(!existsSync(join(debian.root, "usr/lib/pleach")));
    assert.deepEqual(
      readdirSync(join(debian.root, "etc/systemd/system")).filter((name) =>
        /^pleach.*(service|timer)$/.test(name),
      ),
      [],
    );
    for (const kept of ["etc/pleach/pleach.toml", "etc/pleach/keys/owner.json", "var/lib/pleach"]) {
      assert.ok(statSync(join(debian.root, kept)), kept);
    }
  });
});
