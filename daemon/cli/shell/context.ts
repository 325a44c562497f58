/**
 * What every command gets, and how a command plugs in.
 *
 * A command is a file `daemon/cli/NAME.ts` that exports
 * `export function nameCommand(context: CliContext): Command` and one line in `commands.ts`. It
 * builds a commander `Command` with `help(command, …)` for its examples; its action reads
 * everything from `context`, throws a `PleachError` to fail, calls `context.out.result` once at
 * the end, and sets `context.exit` for an ending that is no error (3, partly done). It never calls
 * `process.exit` and never writes to standard output itself.
 *
 * `--json`, `--config FILE` and `--yes` belong to the program and are accepted in any place; a
 * command must not define them.
 */
import type { Command } from "commander";
import type { Config } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { ControlClient } from "../../control/client.ts";
import type { ProcessExit } from "./exit.ts";
import { Output } from "./output.ts";

/** Read when neither `--config` nor PLEACH_CONFIG names a file. */
export const DEFAULT_CONFIG_FILE = "/etc/pleach/pleach.toml";

export interface GlobalOptions {
  readonly json: boolean;
  /** Answer every question with yes; an act that wants a name typed takes it for typed. */
  readonly yes: boolean;
  readonly configFile: string;
}

export class CliContext {
  readonly json: boolean;
  readonly yes: boolean;
  readonly configFile: string;
  readonly out: Output;
  /** How the process ends if no error is thrown. */
  exit: ProcessExit = 0;
  #config: Config | undefined;
  #client: ControlClient | undefined;

  constructor(options: GlobalOptions, out = new Output(options.json)) {
    this.json = options.json;
    this.yes = options.yes;
    this.configFile = options.configFile;
    this.out = out;
  }

  /**
   * The checked configuration, read at the first call.
   *
   * @throws ConfigError with file, line and nearest name.
   */
  get config(): Config {
    return (this.#config ??= loadConfig(this.configFile));
  }

  /** The daemon of this machine, by the socket that the configuration names. */
  get client(): ControlClient {
    return (this.#client ??= new ControlClient(this.config.socket));
  }

  /** Closes idle connections, so that the process can end. */
  close(): void {
    this.#client?.close();
  }
}

/**
 * Gives a command its help: one sentence, then examples before the options.
 *
 * @param examples - Whole command lines with their meaning: `["pleach peers", "who is up"]`.
 */
export function help(
  command: Command,
  summary: string,
  examples: readonly (readonly [line: string, meaning: string])[],
): Command {
  const lines = examples.flatMap(([line, meaning]) => [`  ${line}`, `      ${meaning}`]);
  command.description(summary);
  command.addHelpText("before", `Examples:\n${lines.join("\n")}\n`);
  return command;
}
