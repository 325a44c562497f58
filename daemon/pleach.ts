/**
 * The program `pleach`: `daemon` runs the node, everything else is a client of its socket.
 *
 * `start.js` loads it in less time.
 */
import type { CommandEntry } from "./cli/commands.ts";
import type { CliContext } from "./cli/shell/context.ts";
import { runProgram } from "./cli/shell/program.ts";

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
// A node ends by its own rules; a command that is interrupted ends at once.
if (!args.includes(daemon.name)) process.on("SIGINT", () => process.exit(130));
const exit = await runProgram(args, [daemon]);
if (exit !== 0) process.exitCode = exit;
