/**
 * An entry that ends the process that applies it, or that reads it again at a start: it does so a
 * few times, then it is kept away, the others are served, and the log says which it was.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Envelope } from "../../protocol/logs/envelope.ts";
import { encodeStatement } from "../../protocol/statements/statement.ts";
import { Founding, testKey } from "../fakes/founding.ts";
import { FreeLog } from "../hostile/free-log.ts";
import { honest } from "../hostile/yjs-attacks.ts";
import { runProcess } from "../run-process.ts";
import { buildVariant, type Variant } from "./variant.ts";

const FEED = new URL("feed-state.ts", import.meta.url).pathname;
const ROOT = new URL("../..", import.meta.url).pathname;

let fragile: Variant;
let scratch: string;

before(async () => {
  // A fault in a decoder, as there was one in every decoder once.
  fragile = await buildVariant("fragile", [
    {
      file: "daemon/core/logs/log-document.ts",
      from: "    const { header, payload } = envelope;\n",
      to: `    const { header, payload } = envelope;
    if (Buffer.from(payload).includes("deadly")) process.kill(process.pid, "SIGKILL");
`,
    },
  ]);
  scratch = await mkdtemp(join(tmpdir(), "pl-poison-"));
});

after(async () => {
  await fragile.remove();
  await rm(scratch, { recursive: true, force: true });
});

/** A mesh with a thief in it, and what the thief and an honest site wrote. */
function written() {
  const founding = new Founding("poison");
  for (const name of ["quimper", "brest", "thief"]) founding.enrol(name);
  const bad = new FreeLog(testKey("thief"), founding.meshId, "bad");
  const good = new FreeLog(testKey("brest"), founding.meshId, "good");
  const poison = [bad.snapshot(), bad.update(honest("k", "deadly"))];
  return {
    statements: founding.statements,
    poison,
    cure: bad.snapshot([honest("k", "anew")]),
    others: [good.snapshot(), good.update(honest("node", "fine"))],
  };
}

async function feed(
  program: string,
  directory: string,
  given: {
    statements?: readonly Parameters<typeof encodeStatement>[0][];
    entries?: readonly Envelope[];
  },
) {
  const { statements = [], entries = [] } = given;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  const file = join(scratch, "given.json");
  const text = {
    statements: statements.map((each) => hex(encodeStatement(each))),
    entries: entries.map(({ bytes }) => hex(bytes)),
  };
  await writeFile(file, JSON.stringify(text));
  const { exit, stdout, stderr } = await runProcess(process.execPath, [
    ...["--disable-warning=ExperimentalWarning", FEED, program, directory, "quimper", file],
  ]);
  const lines = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const end = lines.find(({ shown }) => shown !== undefined);
  return { died: exit !== 0, results: lines.flatMap(({ result }) => result ?? []), end, stderr };
}

test("an entry that ends the process as it comes is refused after three deaths", async () => {
  const { statements, poison, others } = written();
  const directory = join(scratch, "comes");
  const entries = [...poison, ...others];
  let deaths = 0;
  let run = await feed(fragile.directory, directory, { statements, entries });
  for (; run.died && deaths < 10; deaths++)
    run = await feed(fragile.directory, directory, { entries });
  assert.equal(deaths, 3);
  assert.deepEqual(run.results, [
    "known",
    { refused: "E-STATE-QUARANTINE" },
    "accepted",
    "accepted",
  ]);
  assert.deepEqual(run.end?.["shown"], [["node", "fine"]]);
  assert.match(
    run.stderr,
    new RegExp(`ended while it applied an entry id=${poison[1]?.id} deaths=3`),
  );
  const again = await feed(fragile.directory, directory, {});
  assert.equal(again.died, false);
  assert.deepEqual(again.end, run.end);
});

test("a log that ends the process at its start is shut away, until its next snapshot", async () => {
  const { statements, poison, cure, others } = written();
  const directory = join(scratch, "starts");
  const taken = await feed(ROOT, directory, { statements, entries: [...poison, ...others] });
  assert.deepEqual(taken.results, ["accepted", "accepted", "accepted", "accepted"]);
  let deaths = 0;
  let run = await feed(fragile.directory, directory, {});
  for (; run.died && deaths < 10; deaths++) run = await feed(fragile.directory, directory, {});
  assert.equal(deaths, 4);
  assert.deepEqual(run.end?.["shown"], [["node", "fine"]]);
  assert.equal(run.end?.["digest"], taken.end?.["digest"], "what it holds is still held");
  assert.match(run.stderr, new RegExp(`a log is shut away.* log=${poison[0]?.log}`));
  const cured = await feed(fragile.directory, directory, { entries: [cure] });
  assert.deepEqual(cured.results, ["accepted"]);
  assert.deepEqual(cured.end?.["shown"], [
    ["k", "anew"],
    ["node", "fine"],
  ]);
  const again = await feed(fragile.directory, directory, {});
  assert.deepEqual(again.end, cured.end);
});
