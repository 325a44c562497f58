/**
 * The program `pleach`: `daemon` runs the node, everything else is a client of its socket.
 */
import type { CommandEntry } from "./cli/commands.ts";
import type { CliContext } from "./cli/shell/context.ts";
import { keepCode } from "./code-cache.ts";

const daemon: CommandEntry = {
  name: "daemon",
  summary: "run the node in the foreground",
  load: async () => {
    const { Command } = await import("commander");
    const { help } = await import("./cli/shell/context.ts");
    const { runDaemon } = await import("./main.ts");
    return (context: CliContext) =>
      help(new Command("daemon"), "Runs the node in the foreground, until SIGTERM or SIGINT.", [
        ["pleach daemon --config /etc/pleach/pleach.toml", "what the service starts"],
      ]).action(() => runDaemon(context.config));
  },
};

const args = process.argv.slice(2);
if (!args.includes(daemon.name)) {
  keepCode();
  // A node ends by its own rules; a command that is interrupted ends at once.
  process.on("SIGINT", () => process.exit(130));
}
// Not before the code is kept.
const { runProgram } = await import("./cli/shell/program.ts");
const exit = await runProgram(args, [daemon]);
if (exit !== 0) process.exitCode = exit;
