/**
 * What a data set can be besides paths: standard input and the output of a program; and what the
 * programs of a set may do to a backup. All with real commands and a real daemon.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const MIB = 1024 * 1024;

let mesh: TestMesh;
let site: TestSite;
const at = (...steps: string[]): string => join(mesh.directory, ...steps);

before(async () => {
  mesh = await TestMesh.create();
  [site = assert.fail()] = await mesh.form(["quimper"], { dns: false });
  mkdirSync(at("source"));
  writeFileSync(at("source", "a"), "words");
});
after(() => mesh.close());

function program(name: string, script: string): string {
  writeFileSync(at(name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return at(name);
}

async function newestOf(name: string): Promise<number | undefined> {
  const { snapshots } = await site.pleach("backup", "show", name);
  return (snapshots as Json[])[0]?.["number"] as number | undefined;
}

/** Gives a file to `backup run SET --stdin`. */
async function give(name: string, file: string) {
  const [node, ...words] = site.commandLine("--json", "backup", "run", name, "--stdin");
  const line = [node, ...words].map((word) => `'${word}'`).join(" ");
  const child = spawn("sh", ["-c", `cat '${file}' | ${line}`]);
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const [exit] = (await once(child, "close")) as [number];
  return { exit, json: JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Json };
}

const codeOf = (json: Json): unknown => (json["error"] as Json | undefined)?.["code"];

describe("standard input", { concurrency: false }, () => {
  it("comes back as a file, and what is the same in it is stored once", async () => {
    await site.pleach("backup", "add", "given", "--stdin", "--file", "given.sql");
    const dump = randomBytes(9 * MIB);
    writeFileSync(at("dump"), dump);
    const first = await give("given", at("dump"));
    assert.equal(first.exit, 0, JSON.stringify(first.json));
    assert.deepEqual([first.json["files"], first.json["bytes"]], [1, 9 * MIB]);
    const restored = await site.pleach("restore", "given", "--to", at("given"));
    assert.deepEqual(restored["paths"], [{ path: "/given.sql", at: at("given", "given.sql") }]);
    assert.ok(readFileSync(at("given", "given.sql")).equals(dump));
    writeFileSync(at("dump"), Buffer.concat([Buffer.from("one line more\n"), dump]));
    const second = await give("given", at("dump"));
    assert.ok(Number(second.json["newBytes"]) < 5 * MIB, JSON.stringify(second.json));
  });

  it("with nothing in it is no snapshot", async () => {
    const number = await newestOf("given");
    const { exit, json } = await give("given", "/dev/null");
    assert.deepEqual([exit, codeOf(json)], [1, "E-BACKUP-SOURCE"]);
    assert.equal(await newestOf("given"), number);
  });

  it("is read only where the set says so, and asked for where it does", async () => {
    assert.equal((await site.refused("backup", "run", "given")).exit, 2);
    await site.pleach("backup", "add", "paths", "--path", at("source"));
    const { exit, json } = await give("paths", at("dump"));
    assert.deepEqual([exit, codeOf(json)], [2, "E-USAGE"]);
  });
});

describe("the output of a program", { concurrency: false }, () => {
  it("comes back, and a run that fails has no snapshot", async () => {
    writeFileSync(at("table"), randomBytes(20 * MIB));
    const dump = program("dump.sh", `cat ${at("table")}; [ ! -e ${at("broken")} ]`);
    await site.pleach("backup", "add", "printed", "--command", dump);
    writeFileSync(at("broken"), "");
    const { exit, error } = await site.refused("backup", "run", "printed");
    assert.deepEqual([exit, error["code"]], [1, "E-BACKUP-HOOK"]);
    rmSync(at("broken"));
    await site.pleach("backup", "run", "printed");
    assert.equal(await newestOf("printed"), 1);
    await site.pleach("restore", "printed", "--to", at("printed"));
    assert.ok(readFileSync(at("printed", "printed")).equals(readFileSync(at("table"))));
    const again = await site.pleach("backup", "run", "printed");
    assert.ok(Number(again["newBytes"]) < 32 * 1024, JSON.stringify(again));
  });
});

describe("the program before a run", { concurrency: false }, () => {
  const configure = (name: string, lines: readonly string[]): void => {
    const text = ["[[backup]]", `name = "${name}"`, `paths = ["${at("source")}"]`, ...lines];
    writeFileSync(join(site.directory, "conf.d", `${name}.toml`), `${text.join("\n")}\n`);
  };

  it("makes ready what is read, while no other run of the set can", async () => {
    const hook = program(
      "ready.sh",
      `[ "$1" = "$PLEACH_SET" ] || exit 1
       mkdir "${at("busy")}" || exit 1
       while [ ! -e "${at("go")}" ]; do sleep 0.05; done
       echo words of "$PLEACH_SET" >"$PLEACH_DUMPS/words"; rmdir "${at("busy")}"`,
    );
    const dumps = join(site.keysDirectory, "cache", "dumps", "ready");
    mkdirSync(dumps, { recursive: true, mode: 0o700 });
    configure("ready", [`before = "${hook}"`]);
    const file = join(site.directory, "conf.d", "ready.toml");
    writeFileSync(file, readFileSync(file, "utf8").replace("paths = [", `paths = ["${dumps}", `));
    const first = site.pleach("backup", "run", "ready");
    await waitFor("the hook", 60_000, async () => existsSync(at("busy")) || undefined);
    assert.equal((await site.refused("backup", "run", "ready")).error["code"], "E-BACKUP-BUSY");
    writeFileSync(at("go"), "");
    assert.equal((await first)["files"], 2);
    await site.pleach("restore", "ready", "--to", at("ready"));
    assert.equal(readFileSync(join(at("ready"), dumps, "words"), "utf8"), "words of ready\n");
  });

  it("fails the run when it fails, and when it hangs", async () => {
    const failing = program("failing.sh", "echo no such database >&2; exit 7");
    configure("failing", [`before = "${failing}"`]);
    const { exit, error } = await site.refused("backup", "run", "failing");
    assert.deepEqual([exit, error["code"]], [1, "E-BACKUP-HOOK"]);
    assert.match(String(error["message"]), /ended with 7; its last words: no such database/);
    const hanging = program("hanging.sh", `sleep 300 & echo $! >"${at("child")}"; wait`);
    configure("hanging", [`before = "${hanging}"`, 'limit = "1 s"']);
    const late = await site.refused("backup", "run", "hanging");
    assert.match(String(late.error["message"]), /took longer than 1 s/);
    const child = readFileSync(at("child"), "utf8").trim();
    await waitFor("the end of its child", 5000, async () => {
      const stat = join("/proc", child, "stat");
      return !existsSync(stat) || readFileSync(stat, "utf8").includes(") Z ") || undefined;
    });
    for (const name of ["failing", "hanging"]) {
      assert.equal((await site.refused("backup", "show", name)).error["code"], "E-BACKUP-UNKNOWN");
    }
  });

  it("is not run where others could have chosen it", async () => {
    const open = program("open.sh", `touch "${at("was-run")}"`);
    configure("open", [`before = "${open}"`]);
    chmodSync(open, 0o775);
    const refused = async (): Promise<unknown> =>
      (await site.refused("backup", "run", "open")).error["code"];
    assert.equal(await refused(), "E-BACKUP-UNSAFE");
    chmodSync(open, 0o755);
    chmodSync(join(site.directory, "conf.d", "open.toml"), 0o666);
    assert.equal(await refused(), "E-BACKUP-UNSAFE");
    assert.ok(!existsSync(at("was-run")));
    chmodSync(join(site.directory, "conf.d", "open.toml"), 0o644);
    await site.pleach("backup", "run", "open");
    assert.ok(existsSync(at("was-run")));
  });
});
