import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { BackupError } from "../error.ts";
import { checkTrusted } from "./trusted-program.ts";

const AS_ROOT = process.geteuid?.() === 0;
const OTHER_USER = 12_345;

let folder = "";
const at = (...steps: string[]): string => join(folder, ...steps);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pleach-trusted-"));
  mkdirSync(at("hooks"), { mode: 0o755 });
  writeFileSync(at("hooks", "dump"), "#!/bin/sh\n", { mode: 0o755 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const isUnsafe = (error: unknown): boolean =>
  error instanceof BackupError && error.code === "E-BACKUP-UNSAFE";

describe("a program", () => {
  it("that only its owner can change is run, through links as well", () => {
    checkTrusted(at("hooks", "dump"), "program");
    symlinkSync("hooks", at("link"));
    symlinkSync(at("link", "..", "hooks", "dump"), at("dump"));
    checkTrusted(at("dump"), "program");
  });

  it("that others can write is not, nor one in a directory of theirs", () => {
    for (const mode of [0o775, 0o757]) {
      chmodSync(at("hooks", "dump"), mode);
      assert.throws(() => checkTrusted(at("hooks", "dump"), "program"), isUnsafe);
    }
    chmodSync(at("hooks", "dump"), 0o755);
    chmodSync(at("hooks"), 0o777);
    assert.throws(() => checkTrusted(at("hooks", "dump"), "program"), isUnsafe);
    // Such as /tmp: only the owner can put another file at the place of this one.
    chmodSync(at("hooks"), 0o1777);
    checkTrusted(at("hooks", "dump"), "program");
  });

  it("behind a link that another user owns is not", { skip: !AS_ROOT }, () => {
    symlinkSync("hooks", at("second"));
    symlinkSync("second", at("first"));
    checkTrusted(at("first", "dump"), "program");
    lchownSync(at("second"), OTHER_USER, OTHER_USER);
    assert.throws(() => checkTrusted(at("first", "dump"), "program"), isUnsafe);
  });

  it("of another user is not", { skip: !AS_ROOT }, () => {
    chownSync(at("hooks", "dump"), OTHER_USER, 0);
    assert.throws(() => checkTrusted(at("hooks", "dump"), "program"), isUnsafe);
  });

  it("that is not there, or a circle of links, is told", () => {
    symlinkSync("b", at("a"));
    symlinkSync("a", at("b"));
    for (const name of ["none", "a"]) {
      assert.throws(() => checkTrusted(at(name), "program"), { code: "E-BACKUP-HOOK" });
    }
  });
});
