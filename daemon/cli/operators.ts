/** `pleach operators`: keys of the people who decide, and who they are. */
import { Command } from "commander";
import { membershipShape } from "../control/shapes-membership.ts";
import { help, type CliContext } from "./context.ts";
import { table } from "./output.ts";
import { choosePassphrase, createOperatorFiles, MadeFiles, takingBack } from "./people-files.ts";

interface NewOptions {
  readonly name: string;
  readonly out: string;
  readonly passphraseFile?: string;
}

export function operatorsCommand(context: CliContext): Command {
  const operators = help(new Command("operators"), "The people who may decide about the mesh.", [
    ["pleach operators list", "who they are"],
    ["pleach operators new --name Anne --out anne.key", "make a key for one more"],
  ]);
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
          `Give ${out}.pub to whoever founds the mesh:  pleach init --operator ${out}.pub`,
      );
    });
  operators.addCommand(
    help(create, "Makes an operator's key: a file that a passphrase opens. Needs no daemon.", [
      ["pleach operators new --name Anne --out anne.key", "asks for a passphrase"],
    ]),
  );
  const list = new Command("list").action(async () => {
    const { operators: all } = await context.client.get("/v1/membership", membershipShape);
    context.out.result({ operators: all }, () =>
      all.length === 0
        ? "This node is in no mesh yet."
        : table([["NAME", "KEY"], ...all.map(({ key, name }) => [name, key])]),
    );
  });
  operators.addCommand(
    help(list, "The operators of the mesh.", [["pleach operators list", "names and keys"]]),
  );
  return operators;
}
