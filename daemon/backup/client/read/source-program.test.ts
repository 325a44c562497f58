import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { outputOf, runProgram, type ProgramPlan } from "./source-program.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "pleach-program-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** @param script - For sh; `$1` is a folder of its own. */
function plan(script: string, limitMs = 60_000): ProgramPlan {
  const file = join(folder, "program");
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { command: [file, folder], limitMs, env: { PLEACH_SET: "wiki" } };
}

async function output(of: ProgramPlan): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of outputOf(of)) parts.push(part);
  return Buffer.concat(parts);
}

async function isGone(pidFile: string): Promise<boolean> {
  const pid = Number(readFileSync(join(folder, pidFile), "utf8"));
  for (let tries = 0; tries < 50; tries++) {
    // One that nobody has waited for yet is gone, too.
    const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
    if (stat === "" || /\) Z /.test(stat)) return true;
    await sleep(20);
  }
  return false;
}

describe("a program", () => {
  it("gets a clean environment, and no standard input", async () => {
    process.env["SECRET_OF_THE_SHELL"] = "1";
    const said = await output(plan('cat; env | cut -d= -f1 | sort | tr "\\n" " "'));
    delete process.env["SECRET_OF_THE_SHELL"];
    assert.match(said.toString(), /^HOME LANG PATH PLEACH_SET PWD (SHLVL )?(TZ )?(_ )?$/);
  });

  it("is read to its last byte", async () => {
    assert.equal((await output(plan("head -c 30000000 /dev/zero"))).length, 30_000_000);
  });

  it("that fails after its output fails", async () => {
    const failing = plan("echo words; echo broken pipe to the database >&2; exit 3");
    await assert.rejects(output(failing), {
      code: "E-BACKUP-HOOK",
      message: /ended with 3; its last words: broken pipe to the database$/,
    });
    await assert.rejects(runProgram(failing), { code: "E-BACKUP-HOOK" });
  });

  it("may say more on standard error than anybody keeps", async () => {
    const before = process.memoryUsage().rss;
    await runProgram(plan("head -c 50000000 /dev/zero >&2"));
    await assert.rejects(
      runProgram(plan("yes complaint | head -n 2000000 >&2; echo end >&2; exit 1")),
      { message: /its last words: end$/ },
    );
    const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grownMiB < 40, `${grownMiB} MiB`);
  });

  it("that hangs is ended with its children, even those that mind no SIGTERM", async () => {
    const hanging = 'trap "" TERM; sleep 300 & echo $! >"$1/child"; echo started; wait; wait';
    await assert.rejects(output(plan(hanging, 300)), {
      code: "E-BACKUP-HOOK",
      message: /took longer than 0\.3 s/,
    });
    assert.ok(await isGone("child"));
    await assert.rejects(runProgram(plan('echo $$ >"$1/child"; exec sleep 300', 300)), {
      message: /took longer than 0\.3 s/,
    });
    assert.ok(await isGone("child"));
  });

  it("is ended when nobody wants the rest", async () => {
    for await (const part of outputOf(plan('echo $$ >"$1/pid"; exec yes'))) {
      assert.ok(part.length > 0);
      break;
    }
    assert.ok(await isGone("pid"));
  });

  it("that cannot be started is told", async () => {
    const file = join(folder, "text");
    writeFileSync(file, "no program", { mode: 0o644 });
    const wrong: ProgramPlan = { command: [file], limitMs: 1000, env: {} };
    for (const act of [output, runProgram]) {
      await assert.rejects(act(wrong), { code: "E-BACKUP-HOOK", message: /EACCES/ });
    }
  });
});
