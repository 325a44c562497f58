/** `pleach operators`: who decides about the mesh, and changing that. */
import { Command } from "commander";
import { parseId, type OperatorId } from "../../../protocol/ids.ts";
import type { CliContext } from "../shell/context.ts";
import { help } from "../shell/context.ts";
import { withSignerOptions, type SignerOptions } from "./decision-signer.ts";
import { suspensionsAround } from "./epoch-change.ts";
import { UsageError } from "../shell/exit.ts";
import { findMember } from "./find-member.ts";
import { askMembers, knownHere } from "./mesh-knowledge.ts";
import { recoveryCommand } from "./operators-recovery.ts";
import { operatorsFields, operatorsText } from "./operators-text.ts";
import {
  choosePassphrase,
  createOperatorFiles,
  MadeFiles,
  readOperatorPublic,
  takingBack,
} from "./people-files.ts";
import { propose } from "./propose.ts";

interface NewOptions {
  readonly name: string;
  readonly out: string;
  readonly passphraseFile?: string;
}

interface ThresholdOptions extends SignerOptions {
  readonly threshold?: string;
}

export function operatorsCommand(context: CliContext): Command {
  const operators = new Command("operators").action(() => list(context));
  help(operators, "The people who decide about the mesh, and what they have to decide.", [
    ["pleach operators", "who they are, how many have to sign, what waits"],
    ["pleach operators new --name Anne --out anne.key", "make a key for one more"],
    ["pleach operators add anne.key.pub --operator-key FILE", "propose Anne"],
  ]);
  return operators
    .addCommand(listCommand(context))
    .addCommand(newCommand(context))
    .addCommand(addCommand(context))
    .addCommand(removeCommand(context))
    .addCommand(thresholdCommand(context))
    .addCommand(recoveryCommand(context))
    .addCommand(settleCommand(context));
}

async function list(context: CliContext): Promise<void> {
  const mesh = await knownHere(context);
  context.out.result(operatorsFields(mesh), () => operatorsText(mesh));
}

function listCommand(context: CliContext): Command {
  const command = new Command("list").action(() => list(context));
  return help(command, "The operators of the mesh, the same as pleach operators.", [
    ["pleach operators list", "names and keys, how many have to sign, what waits"],
  ]);
}

function newCommand(context: CliContext): Command {
  const create = new Command("new")
    .requiredOption("--name <name>", "how the others know you")
    .requiredOption("--out <file>", "where to write the key; the public half goes to FILE.pub")
    .option("--passphrase-file <file>", "read the new passphrase from its first line")
    .action(async (options: NewOptions) => {
      const passphrase = await choosePassphrase(options.passphraseFile);
      const made = new MadeFiles();
      const { out, name } = options;
      const { key } = await takingBack(made, () =>
        createOperatorFiles(out, name, passphrase, made),
      );
      context.out.result(
        { key, name, file: out, publicFile: `${out}.pub` },
        `Made ${out} (secret, encrypted) and ${out}.pub.\n` +
          `Give ${out}.pub to an operator:  pleach operators add ${out}.pub\n` +
          `or to whoever founds a mesh:  pleach init --operator ${out}.pub`,
      );
    });
  return help(create, "Makes an operator's key: a file that a passphrase opens. Needs no daemon.", [
    ["pleach operators new --name Anne --out anne.key", "asks for a passphrase"],
  ]);
}

function addCommand(context: CliContext): Command {
  const add = new Command("add")
    .argument("<file.pub...>", "public keys, each with the name of its operator")
    .option("--threshold <number>", "how many have to sign from then on")
    .action(async (files: readonly string[], options: ThresholdOptions) => {
      const mesh = await askMembers(context, options);
      const added = await Promise.all(files.map(readOperatorPublic));
      for (const { key, name } of added) {
        const known = mesh.authority.operators.get(key);
        if (known !== undefined) throw new UsageError(`${known.name} is an operator already.`);
        if ([...mesh.authority.operators.values()].some((each) => each.name === name)) {
          const hint = "Make its key anew under another name:  pleach operators new";
          throw new UsageError(`Another operator is called "${name}".`, hint);
        }
      }
      const names = added.map(({ name }) => name).join(", ");
      const change = { add: added, ...thresholdOf(options) };
      await propose(context, mesh, options, change, `${names}: operator of the mesh now.`);
    });
  withSignerOptions(add, true);
  return help(add, "Proposes further operators.", [
    ["pleach operators add anne.key.pub --operator-key FILE", "Anne; most have to sign"],
    ["pleach operators add anne.key.pub --threshold 2 --operator-key FILE", "two have to"],
    ["pleach operators add anne.key.pub --phrase-file SHEET", "when all keys are lost"],
  ]);
}

function removeCommand(context: CliContext): Command {
  const remove = new Command("remove")
    .argument("<name>", "name, or the first digits of the key")
    .option("--threshold <number>", "how many have to sign from then on")
    .action(async (text: string, options: ThresholdOptions) => {
      const mesh = await askMembers(context, options);
      const { key, name } = findMember(mesh, text, { operator: true });
      const operator = parseId<OperatorId>(key);
      const change = {
        drop: operator === undefined ? [] : [operator],
        unsuspends: suspensionsAround(mesh, key),
        ...thresholdOf(options),
      };
      await propose(context, mesh, options, change, `${name} is no operator any more.`);
    });
  withSignerOptions(remove, true);
  return help(
    remove,
    "Proposes that somebody is no operator any more. What it has signed stays; its key never " +
      "comes back.",
    [
      ["pleach operators remove Anne --operator-key FILE", "others have to sign, too"],
      ["pleach operators remove Anne --dry-run", "show what it would do"],
    ],
  );
}

function thresholdCommand(context: CliContext): Command {
  const threshold = new Command("threshold")
    .argument("<number>", "how many operators have to sign an epoch")
    .action(async (text: string, options: SignerOptions) => {
      const change = thresholdOf({ threshold: text });
      const mesh = await askMembers(context, options);
      await propose(context, mesh, options, change, `${text} operators decide from now on.`);
    });
  withSignerOptions(threshold, true);
  return help(threshold, "Proposes how many operators have to sign what they decide together.", [
    ["pleach operators threshold 2 --operator-key FILE", "two of them"],
  ]);
}

function settleCommand(context: CliContext): Command {
  const settle = new Command("settle").action(async (options: SignerOptions) => {
    const mesh = await askMembers(context, options);
    if (!mesh.authority.epoch.contested) {
      throw new UsageError("No epoch is contested.", "Look:  pleach operators");
    }
    await propose(context, mesh, options, {}, "The contest is settled.");
  });
  withSignerOptions(settle, true);
  return help(
    settle,
    "Settles epochs that are contested, by one that goes on from all of them, with all operators " +
      "whom none of them dropped. It needs the signatures that each of them asks for.",
    [
      ["pleach operators settle --operator-key FILE", "propose it"],
      ["pleach operators settle --phrase-file SHEET", "with the recovery key"],
    ],
  );
}

function thresholdOf({ threshold }: { readonly threshold?: string }): { threshold?: number } {
  if (threshold === undefined) return {};
  const value = Number(threshold);
  if (Number.isSafeInteger(value) && value >= 1 && value <= 24) return { threshold: value };
  throw new UsageError(`"${threshold}" is not a number of operators (1 to 24).`);
}
