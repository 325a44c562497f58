/** `scripts/try`: reads the command line, runs the scenario, prints what each step took. */
import { parseArgs } from "node:util";
import { runScenario, type TrialOptions } from "./scenario.ts";

const HELP = `Examples:
  scripts/try                      four sites, a backup of node_modules, one burns down
  scripts/try --data /usr/share    with a directory of yours; it is only read
  scripts/try --keep               leaves the mesh running and says how to play with it
  scripts/try --json               one summary object as the last line

Starts real daemons on loopback, joins them by invitation, backs up, waits until three other
sites have signed for every piece, kills one site and deletes all it had, recovers it in an
empty directory from the recovery sheet alone, and compares. Exit 0 only if all of it worked.`;

async function main(): Promise<number> {
  let options: TrialOptions;
  try {
    const { values } = parseArgs({
      options: {
        data: { type: "string" },
        json: { type: "boolean", default: false },
        keep: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    options = { data: values.data, json: values.json, keep: values.keep };
  } catch (error) {
    console.error(`error E-USAGE: ${(error as Error).message}`);
    console.error("Nothing was started.\nSee scripts/try --help");
    return 2;
  }
  return runScenario(options);
}

// With --keep the daemons live on, and a process waits for its children unless it is told to end.
process.exit(await main());
