/**
 * Pleach on a real Debian 12: installed, reloaded, killed, rebooted, installed again, taken off.
 *
 * The tests are one story: each goes on where the one before it ended.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Container } from "./container.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const INSTALL = "/opt/pleach/scripts/install";
const CONFIG = "/etc/pleach/pleach.toml";

describe("a booted Debian 12", { timeout: 900_000 }, () => {
  let debian: Container;
  before(async () => {
    debian = await Container.boot(REPOSITORY);
  });
  after(async () => {
    await debian.remove();
  });

  const shell = (script: string): string => debian.must("sh", "-euc", script);
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
  const json = (...words: readonly string[]): unknown =>
    JSON.parse(debian.run("pleach", ...words, "--json").stdout);
  const answers = (): boolean =>
    [0, 1].includes(debian.run("pleach", "status", "--json").status ?? -1);
  const property = (unit: string, name: string): string =>
    debian.must("systemctl", "show", "-P", name, unit).trim();
  const daemonPid = (): string => property("pleach.service", "MainPID");
  /** Milliseconds until another daemon than this one answers. */
  const untilReplaced = (pid: string, limitMs: number): Promise<number> =>
    until("another daemon", limitMs, () => ![pid, "0"].includes(daemonPid()) && answers());
  const snapshots = (name: string): number => {
    const { sets } = json("backup", "list") as {
      sets: { name: string | null; head: { number: number } | null }[];
    };
    return sets.find((set) => set.name === name)?.head?.number ?? 0;
  };
  const meshId = (): unknown => (json("status") as { meshId: unknown }).meshId;
  const todo = (): string =>
    (json("status") as { todo: { text: string }[] }).todo.map(({ text }) => text).join("\n");
  const errorsOf = (unit: string): string =>
    debian.must("journalctl", "-u", unit, "-p", "err", "--no-pager", "-o", "cat");

  it("refuses to install, and changes nothing, when something is wrong", () => {
    const refused = (status: number, code: RegExp, ...words: readonly string[]): void => {
      const result = debian.run(...words);
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, code);
      assert.match(result.stderr, /Nothing was changed/);
    };
    refused(1, /E-ROOT/, "runuser", "-u", "nobody", "--", INSTALL);
    refused(2, /E-USAGE.*"Quimper"/, INSTALL, "--site", "Quimper");
    refused(2, /E-USAGE/, INSTALL, "--site", `a${"b".repeat(63)}`);
    refused(2, /E-USAGE.*--sight/, INSTALL, "--sight", "quimper");
    const left = shell(
      "ls -d /etc/pleach /usr/lib/pleach* /usr/bin/pleach /var/lib/pleach || true",
    );
    assert.equal(left, "");
  });

  it("installs and starts, whatever the umask", async () => {
    shell(`umask 077; ${INSTALL} --site quimper`);
    await until("an answer", 10_000, answers);
    assert.equal(property("pleach.service", "ActiveState"), "active");
    assert.equal(
      debian.must("stat", "-c", "%a %U %G", "/run/pleach/pleach.sock").trim(),
      "660 pleach pleach",
    );
    assert.equal(debian.must("stat", "-c", "%a", "/run/pleach").trim(), "750");
    assert.equal(property("pleach.service", "StatusText"), "ready");
    const refused = debian.run(INSTALL, "--site", "brest");
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /E-SITE/);
  });

  it("lets the daemon execute its own program and nothing else", () => {
    shell(`
      sed -e 's|^Type=.*|Type=oneshot|' -e '/^Restart/d' -e '/^Watchdog/d' -e '/^RuntimeDirectory/d' \
        -e 's|^ExecStart=.*|ExecStart=/usr/lib/pleach/bin/node --disable-warning=ExperimentalWarning /opt/pleach/test-mesh/package/daemon-probe.ts|' \
        /etc/systemd/system/pleach.service >/run/systemd/system/daemon-probe.service
      systemctl daemon-reload
      systemctl start daemon-probe.service`);
    const said = debian.must("journalctl", "-u", "daemon-probe.service", "-o", "cat", "--no-pager");
    assert.deepEqual(JSON.parse(/^\{.*\}$/m.exec(said)?.[0] ?? "null"), {
      capabilities: "0000000000000000",
      level: "done",
      koffi: "done",
      thread: "done",
      notify: "done",
      shell: "EACCES",
      foreignPrograms: ["EACCES", "EACCES", "EACCES", "EACCES"],
      foreignAddon: "EACCES",
      keys: "EACCES",
    });
  });

  it("founds a mesh and tells of the machine what its timer found", async () => {
    debian.must("systemctl", "start", "pleach-facts.service");
    const file = "/var/lib/pleach/facts.json";
    assert.equal(debian.must("stat", "-c", "%a %U", file).trim(), "600 pleach");
    assert.equal(property("pleach-facts.timer", "ActiveState"), "active");
    shell("umask 077; echo 'a long passphrase for tests' >/root/passphrase");
    debian.must(
      "pleach",
      "init",
      ...["--mesh", "entraide", "--site", "quimper", "--operator-out", "/root/operator.key"],
      ...["--passphrase-file", "/root/passphrase", "--phrase-out", "/root/sheet", "--json"],
    );
    const told = (): unknown =>
      (json("facts", "--site", "quimper") as { facts: { system?: unknown } | null }).facts?.system;
    await until("the facts", 10_000, () => told() === "Debian GNU/Linux 12");
  });

  /** What the server says to a question that is asked once. */
  const dig = (...words: readonly string[]): string =>
    debian
      .must(
        "dig",
        "@192.168.77.2",
        "+tries=1",
        "+timeout=30",
        "+short",
        "www.bzh.example",
        ...words,
      )
      .trim();

  it("answers on port 53 by sockets of systemd, and without any right to it", () => {
    debian.plugIntoLan("192.168.77.2/24");
    debian.must("pleach", "dns", "add-zone", "bzh.example");
    debian.must("pleach", "dns", "set", "www.bzh.example", "A", "192.168.77.14");
    shell(`
      mkdir /etc/systemd/system/pleach-dns.socket.d
      cat >/etc/systemd/system/pleach-dns.socket.d/listen.conf <<END
[Socket]
ListenDatagram=192.168.77.2:53
ListenStream=192.168.77.2:53
END
      sed -i 's/^listen = .*5300.*/listen = ["127.0.0.1:5300", "192.168.77.2:53"]/' ${CONFIG}
      systemctl daemon-reload
      systemctl enable pleach-dns.socket
      systemctl restart pleach.service`);
    assert.equal(dig(), "192.168.77.14");
    assert.equal(dig("+tcp"), "192.168.77.14");
    const log = debian.must("journalctl", "-u", "pleach.service", "-o", "cat", "--no-pager");
    assert.doesNotMatch(log, /koffi/);
  });

  it("speaks multicast DNS on the LAN, as hardened as it is", async () => {
    shell(
      `sed -i 's/^\\[dns\\]/[dns]\\nmdns = ["lan0"]/' ${CONFIG}; systemctl restart pleach.service`,
    );
    debian.must("pleach", "service", "add", "wiki", "--lan-address", "192.168.77.14");
    await until("the name on the LAN", 30_000, () =>
      debian
        .must("journalctl", "-u", "pleach.service", "-o", "cat", "--no-pager")
        .includes("wiki.local leads to this site on lan0"),
    );
  });

  it("loses no question when it starts again, and is started by one", async () => {
    debian.must("systemctl", "stop", "pleach.service");
    assert.equal(dig(), "192.168.77.14");
    const pid = daemonPid();
    debian.must("systemctl", "restart", "--no-block", "pleach.service");
    for (let count = 0; count < 20 || daemonPid() === pid; count++) {
      assert.equal(dig(), "192.168.77.14");
    }
    await until("an answer", 10_000, answers);
  });

  it("says once that koffi does not load, and answers all the same", () => {
    shell(`
      mkdir -p /run/systemd/system/pleach.service.d
      printf '[Service]\\nNoExecPaths=/usr/lib/pleach/node_modules/@koromix\\n' \
        >/run/systemd/system/pleach.service.d/koffi.conf
      systemctl daemon-reload
      systemctl restart pleach.service`);
    assert.equal(dig(), "192.168.77.14");
    assert.equal(dig("+tcp"), "192.168.77.14");
    const pid = daemonPid();
    const log = debian.must("journalctl", `_PID=${pid}`, "-o", "cat", "--no-pager");
    assert.equal(log.match(/koffi does not load/g)?.length, 1);
    shell(`
      rm -r /run/systemd/system/pleach.service.d
      systemctl daemon-reload
      systemctl restart pleach.service`);
  });

  it("has systemd-resolved ask it by what dns integrate prints", () => {
    const told = json("dns", "integrate") as { next: string[]; undo: string[] };
    shell(`umask 077; ${told.next.join("\n")}`);
    const ask = (): ReturnType<Container["run"]> =>
      debian.run("resolvectl", "query", "www.bzh.example");
    assert.match(ask().stdout, /^www\.bzh\.example: 192\.168\.77\.14/);
    shell(told.undo.join("\n"));
    assert.notEqual(ask().status, 0);
  });

  it("backs up by its timer", async () => {
    shell(`
      mkdir -p /srv/data /etc/systemd/system/pleach-backup@data.timer.d
      cp -a /etc /srv/data/
      chmod 0700 /srv/data
      chown nobody:nogroup /srv/data
      printf '[Timer]\\nOnBootSec=\\nOnActiveSec=1s\\nRandomizedDelaySec=0\\nAccuracySec=100ms\\n' \
        >/etc/systemd/system/pleach-backup@data.timer.d/soon.conf
      umask 077
      pleach backup add data --path /srv/data --every 1s
      systemctl reload pleach.service`);
    await until("the first snapshot by the timer", 60_000, () => snapshots("data") === 1);
    assert.equal(errorsOf("pleach-backup@data.service"), "");
  });

  it("warns of a data set that never ran, and lets a backup read and nothing else", () => {
    shell(`
      mkdir -p /srv/private /usr/lib/modules/6.1.0
      echo secret >/srv/private/secret
      chown -R nobody:nogroup /srv/private
      chmod -R go= /srv/private
      printf '%s\\n' '[[backup]]' 'name = "probe"' 'paths = ["/srv/private"]' \
        'before = "/opt/pleach/test-mesh/package/backup-probe"' >/etc/pleach/conf.d/probe.toml
      systemctl reload pleach.service`);
    assert.match(todo(), /probe never ran/);
    debian.must("systemctl", "start", "pleach-backup@probe.service");
    assert.deepEqual(debian.must("cat", "/var/lib/pleach-backup/probe").trim().split("\n"), [
      "capabilities 0000000000000004", // CAP_DAC_READ_SEARCH, see capability.h
      "interfaces lo",
      "reads what another user keeps to himself",
      "modules 6.1.0",
    ]);
    assert.equal(snapshots("probe"), 1);
    assert.doesNotMatch(todo(), /never ran/);
  });

  it("keeps keys and source from the daemon's user and the socket from others", () => {
    for (const path of ["/etc/pleach/keys", "/srv/data", "/etc/pleach/keys/owner.json"]) {
      const { status, stderr } = debian.run("runuser", "-u", "pleach", "--", "ls", path);
      assert.notEqual(status, 0);
      assert.match(stderr, /Permission denied/);
    }
    shell(`mkdir -m 0755 /tmp/open; cp ${CONFIG} /tmp/open/; chmod 0644 /tmp/open/pleach.toml`);
    const other = (...words: readonly string[]) =>
      debian.run("runuser", "-u", "nobody", "--", "pleach", "status", ...words);
    assert.match(other().stderr, /E-CONFIG-FILE.*cannot be read/);
    const denied = other("--config", "/tmp/open/pleach.toml");
    assert.equal(denied.status, 4);
    assert.match(denied.stderr, /E-DAEMON-DENIED/);
  });

  it("keeps the old configuration when a reload finds a wrong one, and says why", () => {
    const pid = daemonPid();
    shell(`cp ${CONFIG} /root/sound.toml; sed -i 's/^space/spcae/' ${CONFIG}`);
    assert.notEqual(debian.run("systemctl", "reload", "pleach.service").status, 0);
    assert.match(errorsOf("pleach.service"), /E-CONFIG-KEY.*pleach\.toml:\d+: .*"spcae"/);
    assert.equal(daemonPid(), pid);
    debian.must("pleach", "peers", "--config", "/root/sound.toml");
    shell(`cat /root/sound.toml >${CONFIG}; systemctl reload pleach.service`);
    assert.equal(daemonPid(), pid);
  });

  it("is back within 10 s of kill -9", async () => {
    const pid = daemonPid();
    shell(`kill -9 ${pid}`);
    const backMs = await untilReplaced(pid, 10_000);
    console.log(`figure service.back_after_kill_seconds ${backMs / 1000}`);
    assert.equal(snapshots("data"), 1);
  });

  it("tells the watchdog that it lives, and is started again when it hangs", async () => {
    shell(`
      mkdir -p /run/systemd/system/pleach.service.d
      printf '[Service]\\nWatchdogSec=6\\n' >/run/systemd/system/pleach.service.d/watchdog.conf
      systemctl daemon-reload
      systemctl restart pleach.service`);
    const pid = daemonPid();
    await sleep(9000);
    assert.equal(daemonPid(), pid);
    shell(`kill -STOP ${pid}`);
    await untilReplaced(pid, 30_000);
    assert.equal(property("pleach.service", "NRestarts"), "1");
    shell(`
      rm -r /run/systemd/system/pleach.service.d
      systemctl daemon-reload
      systemctl restart pleach.service`);
  });

  it("comes back with all after a reboot", async () => {
    await debian.reboot();
    await until("an answer", 30_000, answers);
    // Its sockets were bound before the machine has the address.
    debian.plugIntoLan("192.168.77.2/24");
    assert.equal(dig(), "192.168.77.14");
    await until("the snapshot", 10_000, () => snapshots("data") >= 1);
    assert.equal(
      debian.must("systemctl", "is-enabled", "pleach-backup@data.timer").trim(),
      "enabled",
    );
  });

  it("loses nothing when installed again, a backup being under way", async () => {
    const config = debian.must("cat", CONFIG);
    const mesh = meshId();
    const number = snapshots("data");
    shell("head -c 200000000 /dev/urandom >/srv/data/big");
    debian.must("systemctl", "start", "--no-block", "pleach-backup@data.service");
    const pid = (): string => property("pleach-backup@data.service", "MainPID");
    await until("a run that reads", 30_000, () => {
      const { status } = debian.run("sh", "-c", `ls -l /proc/${pid()}/fd | grep -q /srv/data/big`);
      return status === 0;
    });
    debian.must(INSTALL);
    assert.ok(answers());
    assert.equal(dig(), "192.168.77.14");
    assert.equal(debian.must("cat", CONFIG), config);
    assert.notEqual(mesh, undefined);
    assert.equal(meshId(), mesh);
    await until("the run, begun again", 120_000, () => snapshots("data") > number);
    debian.must("pleach", "restore", "data", "--to", "/root/back");
    debian.must("diff", "-r", "--no-dereference", "/srv/data", "/root/back/srv/data");
  });

  it("goes without taking data along, and finds it again", async () => {
    const mesh = meshId();
    const number = snapshots("data");
    debian.must(INSTALL, "--remove");
    assert.notEqual(debian.run("systemctl", "is-active", "pleach.service").status, 0);
    const gone =
      "/usr/lib/pleach /usr/bin/pleach /etc/systemd/system/pleach*.service /etc/systemd/system/pleach*.socket";
    assert.equal(shell(`ls -d ${gone} /etc/systemd/system/*/pleach* || true`), "");
    assert.equal(shell("find /proc -maxdepth 1 -user pleach"), "");
    debian.must(INSTALL);
    await until("an answer", 10_000, answers);
    assert.equal(meshId(), mesh);
    assert.ok(snapshots("data") >= number);
    debian.must(INSTALL, "--remove");
    for (const kept of [CONFIG, "/etc/pleach/keys/owner.json", "/var/lib/pleach/site.key"]) {
      debian.must("test", "-s", kept);
    }
  });
});
