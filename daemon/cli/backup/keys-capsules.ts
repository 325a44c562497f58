/** `pleach keys capsules`: what a machine that is never linked opens with the phrase. */
import { resolve } from "node:path";
import { Command } from "commander";
import { writeCapsules } from "../../backup/client/keys/job-keys.ts";
import { readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import { help, type CliContext } from "../shell/context.ts";
import { epochText } from "./epoch-numbers.ts";
import { headerIn, openSnapshot, type SnapshotChoice } from "./open-snapshot.ts";

interface CapsulesOptions extends SnapshotChoice {
  readonly out: string;
}

export function capsulesCommand(context: CliContext): Command {
  const capsules = new Command("capsules")
    .argument("<set>", "name of a data set")
    .requiredOption("--out <file>", "where to write them; never over a file that is there")
    .option("--at <when>", "number of a snapshot, or a day: the newest one before its end")
    .option("--head <root>", "the snapshot to start from where there are several newest ones")
    .action((name: string, options: CapsulesOptions) => takeCapsules(context, name, options));
  return help(capsules, "Writes what a machine without network opens with the phrase. No secret.", [
    ["pleach keys capsules books --at 2026-11-20 --out capsules.json", "for keys open --capsules"],
  ]);
}

async function takeCapsules(
  context: CliContext,
  name: string,
  options: CapsulesOptions,
): Promise<void> {
  const { owner, set, setKey } = readSetKeys(context.config.keys, name);
  const keys = { owner, set, setKey, epochs: new Map<number, Uint8Array>() };
  const opened = await openSnapshot(context, name, keys, options);
  const { locator, job } = opened;
  const capsules: { epoch: number; capsule: Uint8Array }[] = [];
  for (const epoch of [...locator.epochs].toSorted((a, b) => a - b)) {
    const { capsule } = await headerIn(opened, epoch);
    capsules.push({ epoch, capsule });
  }
  const file = resolve(options.out);
  writeCapsules(file, { ...job, capsules });
  const epochs = capsules.map(({ epoch }) => epoch);
  context.out.result({ name, set, file, epochs, snapshot: job.snapshot }, () =>
    [
      `Wrote ${file}: capsules of key epochs ${epochText(epochs)} for snapshot ${job.snapshot.number}.`,
      `Where the phrase is:  pleach keys open --capsules FILE --out job.keys`,
    ].join("\n"),
  );
}
