import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { MeshKnowledge } from "./mesh-knowledge.ts";
import { SignedBefore } from "./signed-before.ts";

const BOB = testKey("bob");

async function inDirectory(act: (keyFile: string, directory: string) => Promise<void>) {
  const directory = await mkdtemp(join(tmpdir(), "signed-"));
  try {
    await act(join(directory, "bob.key"), directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const chained = (founding: Founding): readonly SignedStatement[] => founding.statements.slice(1);

test("what a key signed elsewhere goes on with it, and the chain does not fork", () =>
  inDirectory(async (keyFile) => {
    const founding = new Founding("m", [BOB]);
    const [genesis] = founding.statements;
    assert.ok(genesis !== undefined);
    founding.enrol("quimper");
    const proposal = founding.epoch({ by: BOB, threshold: 1 });
    assert.ok(await new SignedBefore(keyFile).keep(chained(founding), false));
    const own = await new SignedBefore(keyFile).read(founding.meshId);
    const behind = new MeshKnowledge([genesis], own);
    assert.deepEqual(behind.unheard, chained(founding));
    assert.equal(behind.headOf(proposalSigner(behind)).prev, proposal);
    const level = new MeshKnowledge(founding.statements, own);
    assert.deepEqual([level.unheard, level.loose], [[], []]);
    assert.deepEqual(await new SignedBefore(keyFile).read(new Founding("n", [BOB]).meshId), []);
  }));

test("what builds on what is not known is told apart, and never counts", () =>
  inDirectory(async (keyFile) => {
    const founding = new Founding("m", [BOB]);
    const [genesis] = founding.statements;
    assert.ok(genesis !== undefined);
    founding.enrol("quimper");
    founding.enrol("brest");
    await new SignedBefore(keyFile).keep(founding.statements.slice(2), false);
    const own = await new SignedBefore(keyFile).read(founding.meshId);
    const mesh = new MeshKnowledge([genesis], own);
    assert.deepEqual([mesh.unheard.length, mesh.loose.length], [0, 1]);
    assert.equal(mesh.authority.sites.size, 0);
  }));

test("two commands at once cannot take one place, and what nobody got leaves it free", () =>
  inDirectory(async (keyFile) => {
    const founding = new Founding("m", [BOB]);
    const other = founding.fork();
    founding.enrol("quimper");
    other.enrol("brest");
    const before = new SignedBefore(keyFile);
    await before.keep(chained(founding), false);
    await assert.rejects(before.keep(chained(other), false), { code: "E-DECISION" });
    await before.forget(chained(other));
    assert.equal((await before.read(founding.meshId)).length, 1, "not the place of another one");
    await before.forget(chained(founding));
    await before.keep(chained(other), false);
    await before.keep(chained(founding), true);
    assert.equal((await before.read(founding.meshId)).length, 2, "as its signer wanted");
  }));

test("rubbish beside a key is passed over, and old statements go", () =>
  inDirectory(async (keyFile, directory) => {
    const founding = new Founding("m", [BOB]);
    for (let site = 0; site < 70; site++) founding.enrol(`site-${site}`);
    const before = new SignedBefore(keyFile);
    await before.keep(chained(founding), false);
    const names = await readdir(`${keyFile}.signed`);
    assert.equal(names.length, 64);
    const [first] = names.toSorted();
    await writeFile(join(`${keyFile}.signed`, String(first)), "rubbish");
    await writeFile(join(`${keyFile}.signed`, "readme"), "rubbish");
    assert.equal((await before.read(founding.meshId)).length, 63);
    if (process.getuid?.() === 0) return;
    await chmod(directory, 0o500);
    const away = new SignedBefore(join(directory, "other.key"));
    assert.equal(await away.keep(chained(founding).slice(0, 1), false), false);
    await chmod(directory, 0o700);
  }));

function proposalSigner({ authority }: MeshKnowledge) {
  const [key] = authority.operators.keys();
  assert.ok(key !== undefined);
  return key;
}
