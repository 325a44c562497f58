/** `pleach facts`: what is known about machines. */
import { join } from "node:path";
import { Command } from "commander";
import { siteFactsShape } from "../control/shapes-inventory.ts";
import { collectFacts } from "../inventory/facts-collect.ts";
import { writeFactsFile } from "../inventory/facts.ts";
import { help, type CliContext } from "./shell/context.ts";
import { CommandError } from "./shell/exit.ts";
import { formatBytes } from "./shell/quantities.ts";

interface FactsOptions {
  readonly write?: boolean;
  readonly site?: string;
}

export function factsCommand(context: CliContext): Command {
  const facts = new Command("facts")
    .option("--write", "leave them in the data directory, for the daemon to publish")
    .option("--site <name>", "what this site has published, from the state of the mesh")
    .action(async ({ write, site }: FactsOptions) => {
      if (site !== undefined) return showSite(context, site);
      const collected = await collectFacts(Date.now());
      if (write === true) await writeFactsFile(join(context.config.data, "facts.json"), collected);
      context.out.result({ facts: collected }, () => lines(collected));
    });
  return help(facts, "Collects facts about this machine, or shows those of a site.", [
    ["pleach facts", "what would be told about this machine"],
    ["pleach facts --site brest", "what brest has told about itself"],
    ["pleach facts --write", "what pleach-facts.service does each hour"],
  ]);
}

async function showSite(context: CliContext, name: string): Promise<void> {
  const { sites } = await context.client.get("/v1/facts", siteFactsShape);
  const found = sites.find((site) => site.name === name);
  if (found === undefined) {
    const known = sites.map((site) => site.name).join(", ");
    throw new CommandError("E-UNKNOWN", `There is no site "${name}".`, {
      hint: known === "" ? "This node is in no mesh yet." : `Sites: ${known}.`,
    });
  }
  const { facts } = found;
  context.out.result({ site: name, facts }, () =>
    facts === null ? `${name} has published no facts yet.` : lines(facts),
  );
}

function lines(facts: Readonly<Record<string, unknown>>): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name.padEnd(14)} ${factText(name, value)}`)
    .join("\n");
}

function factText(name: string, value: unknown): string {
  if (name.endsWith("Bytes") && typeof value === "number") return formatBytes(value);
  if (name.endsWith("AtMs") && typeof value === "number") return new Date(value).toISOString();
  if (Array.isArray(value)) {
    return value
      .map((item: unknown) =>
        typeof item === "object" && item !== null
          ? Object.entries(item)
              .map(([key, inner]) => factText(key, inner))
              .join(" ")
          : String(item),
      )
      .join("; ");
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
