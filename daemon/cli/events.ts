/** `pleach events`: what happens in the daemon, as it happens. */
import { createInterface } from "node:readline";
import { Command } from "commander";
import { help, type CliContext } from "./shell/context.ts";

export function eventsCommand(context: CliContext): Command {
  const events = new Command("events").action(async () => {
    const stream = await context.client.stream("/v1/events", { timeoutMs: 60_000 });
    context.out.note("Listening. End with ctrl-C.");
    for await (const line of createInterface({ input: stream })) {
      if (!line.startsWith("data: ") || line === "data: {}") continue;
      const { type, ...facts } = JSON.parse(line.slice("data: ".length)) as { type: string };
      if (context.json) context.out.event(type, facts);
      else context.out.line(`${new Date().toISOString()} ${type} ${JSON.stringify(facts)}`);
    }
  });
  return help(events, "Prints what happens in the daemon until it is interrupted.", [
    ["pleach events", "links, edits and decisions as they come"],
    ["pleach events --json", "one object a line"],
  ]);
}
