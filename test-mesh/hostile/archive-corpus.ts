/**
 * The corpus of hostile snapshots: everything that has ever led an extractor out of its target,
 * each restored into real files. Whoever has the keys of a data set could make them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { RestoreFigures } from "../../daemon/backup/client/restore/restore-request.ts";
import { runRestore } from "../../daemon/backup/client/restore/restore-run.ts";
import { STAGING_NAME } from "../../daemon/backup/client/restore/restore-staging.ts";
import { PleachError } from "../../protocol/error.ts";
import {
  PLAIN,
  plantFile,
  plantFolder,
  plantSnapshot,
  plantSymlink,
  type Planted,
} from "../fakes/snapshot.ts";

const DEPTH = 1_000;
const RACE_RUNS = 12;

interface HostileCase {
  readonly name: string;
  readonly top: readonly Planted[];
  /** Codes of which one has to come; undefined: it is restored. */
  readonly refused?: readonly string[];
  /** Looks at what was restored, in `target`. */
  readonly check?: (target: string, figures: RestoreFigures) => void;
}

const changed = (planted: Planted, entry: object): Planted =>
  ({ ...planted, entry: { ...planted.entry, ...entry } }) as Planted;
const linked = (name: string, content: string): Planted =>
  changed(plantFile(name, content), { link: 7 });
const device = (kind: "char" | "block"): Planted => ({
  entry: { ...PLAIN, kind, name: Buffer.from(kind), major: 1, minor: 5 } as Planted["entry"],
});

function badNames(): HostileCase[] {
  const names = ["..", ".", "", "/etc", "../outside/kept", "a/b", "a\0b", "\0"];
  return names.flatMap((name) => {
    const refused = ["E-TREE-FORM"];
    return [
      { name: `file ${JSON.stringify(name)}`, top: [plantFile(name, "evil")], refused },
      {
        name: `folder ${JSON.stringify(name)}`,
        top: [plantFolder(name, [plantFile("kept", "evil")])],
        refused,
      },
      { name: `link ${JSON.stringify(name)}`, top: [plantSymlink(name, "../outside")], refused },
    ];
  });
}

function cases(): HostileCase[] {
  const size = Number.MAX_SAFE_INTEGER;
  let deep = plantFolder("d", [plantFile("bottom", "words")]);
  for (let depth = 1; depth < DEPTH; depth++) deep = plantFolder("d", [deep]);
  return [
    ...badNames(),
    {
      name: "a link and then a directory of one name",
      top: [plantSymlink("x", "../outside"), plantFolder("x", [plantFile("kept", "evil")])],
      refused: ["E-TREE-FORM"],
    },
    {
      name: "a link and then a file of one name",
      top: [plantSymlink("x", "../outside/kept"), plantFile("x", "evil")],
      refused: ["E-TREE-FORM"],
    },
    {
      name: "links to everywhere beside files",
      top: [plantSymlink("a", "/"), plantSymlink("b", "../outside/kept"), plantFile("c", "c")],
      check: (target) => assert.equal(readFileSync(join(target, "c"), "utf8"), "c"),
    },
    {
      name: "hard links in two directories",
      top: [plantFolder("a", [linked("one", "same")]), plantFolder("b", [linked("two", "same")])],
      check: (target) => {
        assert.equal(statSync(join(target, "a/one")).ino, statSync(join(target, "b/two")).ino);
      },
    },
    {
      name: "names that are no UTF-8",
      top: [plantFile(Uint8Array.of(0xff, 0xfe, 0x0a), "bytes")],
      check: (target) => {
        const [name] = readdirSync(target, { encoding: "buffer" });
        assert.deepEqual([...(name ?? [])], [0xff, 0xfe, 0x0a]);
      },
    },
    {
      name: "devices",
      top: [device("block"), device("char")],
      check: (target, { problems }) => {
        assert.deepEqual(readdirSync(target), []);
        assert.equal(problems.length, 2);
      },
    },
    {
      name: "set-id bits",
      top: [changed(plantFile("tool", "#!/bin/sh"), { mode: 0o6755 })],
      check: (target, { problems }) => {
        assert.equal(statSync(join(target, "tool")).mode & 0o7777, 0o755);
        assert.match(problems[0]?.problem ?? "", /set-id/);
      },
    },
    {
      name: "a file of 8 EiB of holes",
      top: [
        changed(plantFile("huge", "x"), {
          sizeBytes: size,
          extents: [{ offset: size - 1, length: 1 }],
        }),
      ],
      refused: ["E-RESTORE-WRITE", "E-TREE-FORM"],
      check: (target) => assert.ok(!existsSync(join(target, "huge"))),
    },
    {
      name: "a file that is longer than its content",
      top: [changed(plantFile("long", "x"), { sizeBytes: 2 ** 40 })],
      refused: ["E-RESTORE-CONTENT"],
      check: (target) => assert.ok(!existsSync(join(target, "long"))),
    },
    {
      name: "directories one in another, a thousand times",
      top: [deep],
      check: (_target, { files }) => assert.equal(files, 1),
    },
    {
      name: "the name that restores keep for themselves",
      top: [plantFolder(STAGING_NAME, [plantFile("what", "evil")])],
      refused: ["E-RESTORE-CONTENT"],
    },
  ];
}

/**
 * Restores each of them below `folder`, which is empty, and looks whether anything else changed.
 *
 * @returns How many there are.
 */
export async function restoreCorpus(folder: string): Promise<number> {
  mkdirSync(join(folder, "outside"));
  writeFileSync(join(folder, "outside/kept"), "kept", { mode: 0o644 });
  const outside = lstatSync(join(folder, "outside/kept"), { bigint: true });
  const all = cases();
  for (const each of all) {
    const target = join(folder, "target");
    await restoreOne(each, target);
    assertUntouched(folder, outside.mtimeNs, each.name);
    rmSync(target, { recursive: true, force: true });
  }
  return all.length;
}

async function restoreOne({ name, top, refused, check }: HostileCase, target: string) {
  const { reader, root, record } = plantSnapshot(top);
  const only: readonly Uint8Array[] = [];
  const task = { reader, root, record, target, only, privileged: false, onProgress: () => {} };
  let figures: RestoreFigures = { files: 0, bytes: 0, problems: [] };
  try {
    figures = await runRestore(task);
    assert.ok(refused === undefined, `${name}: was restored`);
  } catch (error) {
    if (!(error instanceof PleachError)) throw error;
    assert.ok(refused?.includes(error.code), `${name}: ${error.code} ${error.message}`);
  }
  check?.(target, figures);
}

function assertUntouched(folder: string, mtimeNs: bigint, name: string): void {
  assert.deepEqual(readdirSync(folder).toSorted(), ["outside", "target"], name);
  assert.deepEqual(readdirSync(join(folder, "outside")), ["kept"], name);
  assert.equal(readFileSync(join(folder, "outside/kept"), "utf8"), "kept", name);
  assert.equal(lstatSync(join(folder, "outside/kept"), { bigint: true }).mtimeNs, mtimeNs, name);
}

/** Puts a link to `outside` in the place of a directory, and back, as fast as it can. */
const SWAPPER = `
const { renameSync, symlinkSync } = require("node:fs");
const [target, outside] = process.argv.slice(1);
for (;;) {
  try { renameSync(target + "/a", target + "/was"); symlinkSync(outside, target + "/a"); } catch {}
  try { renameSync(target + "/a", target + "/link-" + process.hrtime.bigint()); } catch {}
  try { renameSync(target + "/was", target + "/a"); } catch {}
}`;

/** Another process of the same user changes directories to links while they are filled. */
export async function restoreAgainstSwapper(folder: string): Promise<void> {
  const outside = join(folder, "outside");
  mkdirSync(outside);
  const files = Array.from({ length: 40 }, (_, at) => plantFile(`f${at + 10}`, "x".repeat(300)));
  const top = ["b", "c", "d"].map((name) => plantFolder(name, files));
  for (let run = 0; run < RACE_RUNS; run++) {
    const target = join(folder, `target-${run}`);
    mkdirSync(target);
    const snapshot = plantSnapshot([plantFolder("a", [...top])]);
    const swapper = spawn(process.execPath, ["-e", SWAPPER, target, outside]);
    try {
      const only: readonly Uint8Array[] = [];
      const quiet = { only, privileged: false, onProgress: () => {} };
      await runRestore({ ...snapshot, target, ...quiet }).catch((error: unknown) => {
        // Refused, or done: but never outside.
        if (!(error instanceof PleachError)) throw error;
      });
    } finally {
      swapper.kill("SIGKILL");
    }
    assert.deepEqual(readdirSync(outside), []);
  }
}

/** By itself: `node archive-corpus.ts FOLDER`, for a run as another user. */
if (process.argv[1] === import.meta.filename) {
  console.log(await restoreCorpus(process.argv[2] ?? ""));
}
