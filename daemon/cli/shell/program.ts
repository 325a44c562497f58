/**
 * The command line as a whole: global options, the choice of the command, the exit code.
 */
import { Command, CommanderError } from "commander";
import { CliContext, DEFAULT_CONFIG_FILE, type GlobalOptions } from "./context.ts";
import { COMMANDS, type CommandEntry } from "../commands.ts";
import { nearestName } from "../../config/locate.ts";
import { reportOf, UsageError, type ProcessExit } from "./exit.ts";

const VALUE_OPTIONS = new Set(["--config"]);

/**
 * Runs one command line.
 *
 * @param given - Without the program's name. `help NAME` is read as `NAME --help`.
 * @param more - Commands beside those that are clients of the daemon.
 * @returns How the process should end; everything is printed already.
 */
export async function runProgram(
  given: readonly string[],
  more: readonly CommandEntry[] = [],
): Promise<ProcessExit> {
  const args = given[0] === "help" ? [...given.slice(1), "--help"] : given;
  const context = new CliContext(globalOptions(args));
  try {
    const root = await program(args, context, [...COMMANDS, ...more]);
    await root.parseAsync([...args], { from: "user" });
    return context.exit;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    context.out.error(thrown);
    return reportOf(thrown).error.exit;
  } finally {
    context.close();
  }
}

async function program(
  args: readonly string[],
  context: CliContext,
  commands: readonly CommandEntry[],
): Promise<Command> {
  const chosen = commandName(args);
  const root = new Command("pleach")
    .description("A mesh of small servers that back each other up and answer DNS together.")
    .option("--json", "results as JSON")
    .option("--config <file>", "configuration (or PLEACH_CONFIG)", DEFAULT_CONFIG_FILE)
    .option("--yes", "ask nothing")
    .addHelpText("before", chosen === undefined ? COMMON : "");
  const entry = commands.find(({ name }) => name === chosen);
  if (entry !== undefined) {
    root.addCommand((await entry.load())(context));
  } else if (chosen !== undefined) {
    const near = nearestName(
      chosen,
      commands.map(({ name }) => name),
    );
    const hint = near === undefined ? "All commands:  pleach help" : `Did you mean "${near}"?`;
    throw new UsageError(`There is no command "${chosen}".`, hint);
  } else {
    for (const { name, summary } of commands) root.addCommand(new Command(name).summary(summary));
    root.action(() => root.outputHelp());
  }
  quiet(root);
  return root;
}

const COMMON = `Five commands for every day:
  pleach status            what is well and what needs a person
  pleach peers             the other sites
  pleach dns list ZONE     names
  pleach backup list       data sets and their copies
  pleach restore SET --to DIR   getting it back
`;

/** What `--help` prints for a command. */
export function helpOf(command: Command): string {
  quiet(command);
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

/** Errors of the parser are thrown, and told like all others. */
function quiet(command: Command): void {
  command
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, outputError: () => {} })
    .configureHelp({
      helpWidth: 80,
      minWidthToWrap: 20,
      showGlobalOptions: true,
      sortSubcommands: true,
      subcommandTerm: (inner) => inner.name(),
    });
  for (const inner of command.commands) quiet(inner);
}

/** The first word that is no option and no value of one. */
function commandName(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (VALUE_OPTIONS.has(arg)) i += 1;
    else if (!arg.startsWith("-")) return arg;
  }
  return undefined;
}

/**
 * Read before the commands are built, because they are built with them. The last one counts, as
 * with every option.
 */
function globalOptions(args: readonly string[]): GlobalOptions {
  const end = args.indexOf("--");
  const own = end === -1 ? args : args.slice(0, end);
  const at = own.lastIndexOf("--config");
  const inline = own.findLastIndex((arg) => arg.startsWith("--config="));
  const named = at > inline ? own[at + 1] : own[inline]?.slice("--config=".length);
  return {
    json: own.includes("--json"),
    yes: own.includes("--yes"),
    configFile: named ?? process.env["PLEACH_CONFIG"] ?? DEFAULT_CONFIG_FILE,
  };
}
