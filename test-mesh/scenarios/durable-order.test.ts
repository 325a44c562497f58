/**
 * What the daemon acknowledges is on the disk by then: content synced before a file gets its name,
 * the name synced before the answer. Seen in the system calls of one real run.
 */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { traceCalls, type SystemCall } from "../crash/call-order.ts";
import { withMesh } from "../harness.ts";

const MIB = 1024 * 1024;

test("a run: content before names, names before answers, lists before the last answer", () =>
  withMesh(async (mesh) => {
    const source = join(mesh.directory, "source");
    await mkdir(source);
    for (let at = 0; at < 3; at++) {
      await writeFile(join(source, `f${at}`), randomBytes(5 * MIB));
    }
    const toml = `[[backup]]\nname = "data"\npaths = [${JSON.stringify(source)}]`;
    const site = await mesh.site("quimper", { toml, dns: false, dht: false });
    await site.start();
    await mesh.found(site);
    await site.pleach("backup", "add", "data");
    const calls = await traceCalls(site.pid, join(mesh.directory, "calls"), async () => {
      await site.pleach("backup", "run", "data");
    });

    const shards = join(site.dataDirectory, "shards", "shards");
    const renames = calls.filter(({ name, args }) => {
      return name.startsWith("rename") && pathsIn(args).at(-1)?.startsWith(shards) === true;
    });
    assert.ok(renames.length >= 4, `${renames.length} shards`);
    const durable = renames.map((rename) => namedDurably(calls, rename)).toSorted((a, b) => a - b);
    const answers = calls.filter(({ name, args }) => {
      return /^(write|send)/.test(name) && args.includes("HTTP/1.1 201");
    });
    assert.equal(answers.length, renames.length);
    for (const [at, answer] of answers.entries()) {
      assert.ok((durable[at] ?? Infinity) < answer.began, `answer ${at} came too early`);
    }

    for (const made of calls.filter(({ name }) => name.startsWith("mkdir"))) {
      const folder = pathsIn(made.args).at(-1) ?? "";
      if (!folder.startsWith(shards)) continue;
      const synced = syncsOf(calls, dirname(folder)).find(({ began }) => began > made.ended);
      const firstIn = renames
        .filter(({ args }) => pathsIn(args).at(-1)?.startsWith(`${folder}/`) === true)
        .map((rename) => namedDurably(calls, rename));
      assert.ok(
        synced !== undefined && synced.ended < Math.min(...firstIn),
        `${folder} is not synced`,
      );
    }

    const commit = calls.find(({ name, args }) => {
      return (
        /^(write|send)/.test(name) && args.includes("HTTP/1.1 200") && args.includes("generation")
      );
    });
    assert.ok(commit);
    const log = calls.find(({ name, args, began, ended }) => {
      const isLog = name === "fdatasync" && /\/state\/db\/\d+\.log>/.test(args);
      return isLog && began > (durable.at(-1) ?? Infinity) && ended < commit.began;
    });
    assert.ok(log, "the lists were not synced before the answer");
  }));

/** The line at which a renamed file would survive a power cut under its new name. */
function namedDurably(calls: readonly SystemCall[], rename: SystemCall): number {
  const [from = "", to = ""] = pathsIn(rename.args);
  const written = calls
    .filter(({ name, args }) => /write|truncate/.test(name) && args.includes(`<${from}>`))
    .map(({ ended }) => ended);
  assert.ok(written.length > 0, `nothing was written to ${from}`);
  const content = syncsOf(calls, from).find(({ began }) => began > Math.max(...written));
  assert.ok(content !== undefined && content.ended < rename.began, `${to} is named too early`);
  const name = syncsOf(calls, dirname(to)).find(({ began }) => began > rename.ended);
  assert.ok(name, `the name of ${to} is never synced`);
  return name.ended;
}

function syncsOf(calls: readonly SystemCall[], path: string): readonly SystemCall[] {
  return calls.filter(({ name, args }) => name.endsWith("sync") && args.includes(`<${path}>`));
}

/** The paths in quotes: of a rename the old one and the new one. */
function pathsIn(args: string): string[] {
  return [...args.matchAll(/"([^"]*)"/g)].map(([, path]) => path ?? "");
}
