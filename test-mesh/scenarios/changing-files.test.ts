/**
 * Files that another process changes while they are backed up: whatever happens to them, the run
 * ends, and a file that the snapshot does not mark is one that was there at one moment.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { TestMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";

const MIB = 1024 * 1024;
/** All that the writer does to its files, again and again; it begins anew within some 10 ms. */
const WRITER = `
  const fs = require("node:fs");
  const [folder] = process.argv.slice(1);
  const size = ${MIB};
  let version = 0;
  const content = (bytes) => Buffer.alloc(bytes, version = (version + 1) % 256);
  let file, other;
  const acts = {
    rewritten: () => {
      const fd = fs.openSync(file, "r+");
      const bytes = content(size);
      for (let at = 0; at < size; at += 65536) fs.writeSync(fd, bytes, at, 65536, at);
      fs.closeSync(fd);
    },
    grown: () => {
      if (fs.statSync(file).size > 8 * size) fs.truncateSync(file, size);
      fs.appendFileSync(file, content(65536));
    },
    shrunk: () => { fs.truncateSync(file, 1000); fs.writeFileSync(file, content(size)); },
    replaced: () => { fs.writeFileSync(other, content(size)); fs.renameSync(other, file); },
    vanishing: () => { fs.rmSync(file); fs.writeFileSync(other, content(size)); fs.renameSync(other, file); },
    swapped: () => {
      fs.rmSync(file, { recursive: true });
      fs.mkdirSync(file);
      fs.rmdirSync(file);
      fs.symlinkSync("/etc/hostname", file);
      fs.rmSync(file);
      require("node:child_process").spawnSync("mkfifo", [file]);
      fs.rmSync(file);
      fs.writeFileSync(other, content(size)); fs.renameSync(other, file);
    },
  };
  process.on("message", () => process.exit(0));
  const turn = () => {
    for (const kind of Object.keys(acts)) {
      file = folder + "/" + kind;
      other = file + ".other";
      acts[kind]();
    }
    setTimeout(turn, 2);
  };
  turn();
`;
const KINDS = ["rewritten", "grown", "shrunk", "replaced", "vanishing", "swapped"] as const;
/** One version after another is written into these in one step: a whole one is of one byte. */
const WHOLE_VERSIONS = ["rewritten", "replaced", "vanishing", "swapped"];

let mesh: TestMesh;
let site: TestSite;
let writer: ChildProcess | undefined;
const at = (...steps: string[]): string => join(mesh.directory, ...steps);

before(async () => {
  mesh = await TestMesh.create();
  [site = assert.fail()] = await mesh.form(["quimper"], { dns: false });
  mkdirSync(at("source"));
  for (const kind of KINDS) writeFileSync(at("source", kind), Buffer.alloc(MIB));
  writeFileSync(at("source", "still"), "words");
  await site.pleach("backup", "add", "data", "--path", at("source"), "--exclude", "*.other");
});
after(async () => {
  writer?.kill("SIGKILL");
  await mesh.close();
});

it("are marked, and read again by the next run", { timeout: 300_000 }, async () => {
  writer = spawn(process.execPath, ["-e", WRITER, at("source")], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const marked = new Set<string>();
  for (let turn = 1; turn <= 2; turn++) {
    const { exit, stdout } = await site.run(["--json", "backup", "run", "data"]);
    const run = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Json;
    const unreadable = run["unreadable"] as Json[];
    // What is no file any more when it is opened cannot be read: 3, with its name.
    assert.equal(exit, unreadable.length === 0 ? 0 : 3, stdout);
    assert.ok(
      unreadable.every(({ path }) => path === at("source", "swapped")),
      stdout,
    );
    const changed = run["changed"] as string[];
    const shown = await site.pleach("backup", "show", "data");
    const doubts = shown["doubts"] as Json[];
    assert.deepEqual(
      doubts.filter(({ reason }) => reason === "changed").map(({ path }) => path),
      changed,
    );
    for (const path of changed) marked.add(path);
    const target = at(`restored-${turn}`);
    await site.pleach("restore", "data", "--to", target);
    const back = (kind: string): string => join(target, at("source"), kind);
    assert.equal(readFileSync(back("still"), "utf8"), "words");
    for (const kind of WHOLE_VERSIONS) {
      const file = back(kind);
      if (changed.includes(at("source", kind))) continue;
      if (!existsSync(file) || !statSync(file).isFile()) continue;
      const bytes = readFileSync(file);
      assert.equal(bytes.length, MIB, kind);
      assert.ok(bytes.equals(Buffer.alloc(MIB, bytes[0])), `${kind} is torn and not marked`);
    }
  }
  assert.ok(marked.size > 0);
  assert.ok(!marked.has(at("source", "still")));
  const end = once(writer, "exit");
  writer.send("end");
  await end;
  const last = await site.pleach("backup", "run", "data");
  assert.deepEqual([last["changed"], last["unreadable"]], [[], []]);
  await site.pleach("restore", "data", "--to", at("last"));
  for (const kind of KINDS) {
    const [back, file] = [join(at("last"), at("source"), kind), at("source", kind)];
    assert.equal(existsSync(back), existsSync(file), kind);
    if (existsSync(file) && statSync(file).isFile()) {
      assert.ok(readFileSync(back).equals(readFileSync(file)), kind);
    }
  }
});
