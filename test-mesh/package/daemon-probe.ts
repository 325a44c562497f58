/**
 * Runs in the place of the daemon, under its unit, and prints what that lets it do.
 *
 * The native packages are those of the installed program: no other path may be executed.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

interface Level {
  batch(writes: readonly object[]): Promise<void>;
  compactRange(from: string, to: string): Promise<void>;
  close(): Promise<void>;
}

const DATA = "/var/lib/pleach";
const installed = createRequire("/usr/lib/pleach/package.json");

/** The code of the error that an attempt ends with, or "done". */
async function attempt(act: () => unknown): Promise<string> {
  try {
    await act();
    return "done";
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A library that may not be executed is refused by the loader, in words only.
    if (message.includes("failed to map segment")) return "EACCES";
    return code ?? message;
  }
}

async function compact(): Promise<void> {
  const { ClassicLevel } = installed("classic-level") as {
    ClassicLevel: new (path: string) => Level;
  };
  const path = join(DATA, "probe");
  const level = new ClassicLevel(path);
  for (let round = 0; round < 10; round++) {
    const keys = Array.from({ length: 1000 }, (_, i) => `${i % 500}-${round}`);
    await level.batch(keys.map((key) => ({ type: "put", key, value: key.repeat(200) })));
  }
  await level.compactRange("0", "9");
  await level.close();
  rmSync(path, { recursive: true });
}

async function foreignAddon(): Promise<void> {
  const native = join(DATA, "foreign.node");
  const folder = installed.resolve("classic-level/package.json").replace("package.json", "");
  const builds = join(folder, "prebuilds", `linux-${process.arch}`);
  const build = readdirSync(builds).find((name) => name.endsWith(".node")) ?? "";
  copyFileSync(join(builds, build), native);
  try {
    installed(native);
  } finally {
    rmSync(native);
  }
}

function foreignProgram(folder: string): void {
  const program = join(folder, "foreign");
  copyFileSync("/bin/sh", program);
  try {
    execFileSync(program, ["-c", "true"]);
  } finally {
    rmSync(program);
  }
}

const thread = (): Promise<void> =>
  new Promise((resolve, reject) => {
    new Worker("", { eval: true }).once("error", reject).once("exit", () => resolve());
  });

const facts = {
  capabilities: /^CapBnd:\s+(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1],
  level: await attempt(compact),
  koffi: await attempt(() => {
    (installed("koffi") as { load(library: string): object }).load("libc.so.6");
  }),
  thread: await attempt(thread),
  notify: await attempt(() => execFileSync("systemd-notify", ["--version"])),
  shell: await attempt(() => execFileSync("/bin/sh", ["-c", "true"])),
  foreignPrograms: await Promise.all(
    [DATA, "/tmp", "/var/tmp", "/dev/shm"].map((folder) => attempt(() => foreignProgram(folder))),
  ),
  foreignAddon: await attempt(foreignAddon),
  keys: await attempt(() => readdirSync("/etc/pleach/keys")),
};
process.stdout.write(`${JSON.stringify(facts)}\n`);
