/** The options of a program in scripts/: a mistake in them is told as such, not as a fault of ours. */
import { parseArgs, type ParseArgsConfig } from "node:util";

/**
 * As `parseArgs` of Node.
 *
 * Ends the process with 2 and one sentence when an option is unknown, or lacks its value.
 */
export function readOptions<Config extends ParseArgsConfig>(
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config);
  } catch (error) {
    // Others are faults of the program: what Node says of options has a code of its own.
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!(error instanceof Error) || !code.startsWith("ERR_PARSE_ARGS_")) throw error;
    console.error(`error E-USAGE: ${error.message}\nNothing was run. See --help.`);
    process.exit(2);
  }
}
