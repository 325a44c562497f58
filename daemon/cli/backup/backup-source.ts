/** What a run of a data set reads besides paths: standard input, or the output of a program. */
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { BackupError } from "../../backup/client/error.ts";
import type { StreamSource } from "../../backup/client/read/gather-stream.ts";
import { outputOf, runProgram } from "../../backup/client/read/source-program.ts";
import { checkTrusted } from "../../backup/client/read/trusted-program.ts";
import type { BackupConfig, Config } from "../../config/config.ts";
import { cacheFolder } from "./backup-paths.ts";
import { UsageError } from "../shell/exit.ts";

/**
 * Runs the program `before` of a set, which throws E-BACKUP-UNSAFE when somebody else than root
 * could have chosen it. Undefined where there is none.
 */
export function preparation(set: BackupConfig, config: Config): (() => Promise<void>) | undefined {
  const { before, limitMs } = set;
  if (before === undefined) return undefined;
  return async () => {
    checkConfiguration(config.file);
    const env = environment(set, config);
    await runProgram({ command: [before, set.name], limitMs, env });
  };
}

/**
 * The stream of a set; undefined where it has paths.
 *
 * @param stdin - Whether the command was told to read standard input.
 * @throws UsageError when that is not how the set is configured.
 */
export function streamOf(
  set: BackupConfig,
  config: Config,
  stdin: boolean,
): StreamSource | undefined {
  const { name, stream, limitMs } = set;
  if (stdin !== (stream !== undefined && stream.command === undefined)) {
    const message = stdin
      ? `The data set "${name}" does not come from standard input.`
      : `The data set "${name}" comes from standard input.`;
    const hint = stdin
      ? `It needs stdin = true in its [[backup]] instead of paths or command.`
      : `Give it:  PROGRAM | pleach backup run ${name} --stdin`;
    throw new UsageError(message, hint);
  }
  if (stream === undefined) return undefined;
  const fileName = Buffer.from(stream.file);
  const { command } = stream;
  if (command === undefined) {
    if (process.stdin.isTTY) {
      const hint = `Give it:  PROGRAM | pleach backup run ${name} --stdin`;
      throw new UsageError("Standard input is a terminal.", hint);
    }
    return { fileName, read: () => standardInput(limitMs) };
  }
  const read = async function* (): AsyncGenerator<Uint8Array> {
    checkConfiguration(config.file);
    yield* outputOf({ command, limitMs, env: environment(set, config) });
  };
  return { fileName, read };
}

/** @throws BackupError when it takes too long, or breaks off. */
async function* standardInput(limitMs: number): AsyncGenerator<Uint8Array> {
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    process.stdin.destroy();
  }, limitMs);
  try {
    yield* process.stdin as AsyncIterable<Uint8Array>;
  } catch (cause) {
    const why = isLate ? `took longer than ${limitMs / 1000} s` : (cause as Error).message;
    throw new BackupError("E-BACKUP-SOURCE", `Standard input broke off: ${why}.`, {
      changed: "There is no new snapshot. What was stored so far need not be sent again.",
      hint: "A larger limit can be set in the [[backup]]:  limit",
      cause,
    });
  } finally {
    clearTimeout(limit);
  }
}

/** What its programs are told, and a folder of their own: a backup may write nearly nowhere. */
function environment({ name }: BackupConfig, config: Config): Readonly<Record<string, string>> {
  const folder = join(cacheFolder(config), "dumps", name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  return { PLEACH_SET: name, PLEACH_DUMPS: folder };
}

/** Whoever can write to the configuration can have a backup run programs. */
function checkConfiguration(file: string): void {
  const folder = join(dirname(file), "conf.d");
  const parts = existsSync(folder) ? readdirSync(folder) : [];
  checkTrusted(file, "configuration");
  for (const part of parts.filter((name) => name.endsWith(".toml"))) {
    checkTrusted(join(folder, part), "configuration");
  }
}
