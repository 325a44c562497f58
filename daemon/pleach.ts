/**
 * The program `pleach`: `daemon` runs the node, everything else is a client of its socket.
 */
import { runProgram } from "./cli/program.ts";

process.on("SIGINT", () => process.exit(130));
process.exitCode = await runProgram(process.argv.slice(2));
