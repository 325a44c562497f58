/** `pleach service`: what runs for people, at this site and at others. */
import { isIP } from "node:net";
import { Command } from "commander";
import { doneShape, serviceResult, servicesShape } from "../control/shapes-inventory.ts";
import type { ServiceInfo } from "../control/shapes-inventory.ts";
import { help, type CliContext } from "./shell/context.ts";
import { CommandError, UsageError } from "./shell/exit.ts";
import { table } from "./shell/output.ts";
import {
  markCommand,
  policyCommand,
  reportCommand,
  stateLines,
  stateWord,
} from "./service-words.ts";

interface AddOptions {
  readonly address: readonly string[];
  readonly meshAddress: readonly string[];
  readonly lanAddress: readonly string[];
  readonly port: readonly string[];
  readonly maintainer: readonly string[];
  readonly zone: readonly string[];
  readonly replace?: boolean;
}

export function serviceCommand(context: CliContext): Command {
  const service = help(new Command("service"), "Services: what runs for people, and where.", [
    ["pleach service add wiki --address 192.0.2.14 --port https:443", "declare one"],
    ["pleach service list", "those of all sites, and where each is up"],
    ["pleach service mark wiki down --site brest", "lead nobody there for now"],
  ]);
  return service
    .addCommand(addCommand(context))
    .addCommand(listCommand(context))
    .addCommand(showCommand(context))
    .addCommand(removeCommand(context))
    .addCommand(markCommand(context))
    .addCommand(policyCommand(context))
    .addCommand(reportCommand(context));
}

function addCommand(context: CliContext): Command {
  const add = new Command("add")
    .argument("<name>", "a DNS label, such as wiki")
    .option("--address <ip>", "where it answers; may be repeated", collect, [])
    .option("--mesh-address <ip>", "where sites of the mesh reach it; may be repeated", collect, [])
    .option("--lan-address <ip>", "where this site's LAN reaches it; may be repeated", collect, [])
    .option("--port <name:port[/udp]>", "for example https:443; may be repeated", collect, [])
    .option("--maintainer <who>", "whom to ask; may be repeated", collect, [])
    .option("--zone <name>", "only in these zones; may be repeated", collect, [])
    .option("--replace", "change one that is there")
    .action(async (name: string, options: AddOptions) => {
      const request = {
        replace: options.replace ?? false,
        service: {
          name,
          addresses: options.address.map(parseAddress),
          mesh: options.meshAddress.map(parseAddress),
          lan: options.lanAddress.map(parseAddress),
          ports: options.port.map(parsePort),
          maintainers: options.maintainer,
          ...(options.zone.length === 0 ? {} : { zones: options.zone }),
        },
      };
      const { result } = await context.client.put("/v1/services", request, serviceResult);
      context.out.result({ name, result }, `Service ${name} ${result}.`);
    });
  return help(add, "Declares a service of this site.", [
    ["pleach service add wiki --address 192.0.2.14 --maintainer web@bzh.example", "a new one"],
    ["pleach service add wiki --address 192.0.2.15 --replace", "it has moved"],
    ["pleach service add wiki --address 192.0.2.14 --lan-address 192.168.1.14", "nearer at home"],
  ]);
}

function listCommand(context: CliContext): Command {
  const list = new Command("list").action(async () => {
    const { services } = await context.client.get("/v1/services", servicesShape);
    context.out.result({ services }, () =>
      services.length === 0
        ? "No services. Declare one:  pleach service add NAME --address IP"
        : table([["SERVICE", "SITE", "STATE", "ADDRESSES", "CONFIRMED"], ...services.map(row)]),
    );
  });
  return help(list, "Lists the services of all sites.", [["pleach service list", "all of them"]]);
}

function showCommand(context: CliContext): Command {
  const show = new Command("show").argument("<name>").action(async (name: string) => {
    const { services } = await context.client.get("/v1/services", servicesShape);
    const found = services.filter((service) => service.name === name);
    if (found.length === 0) {
      const hint = "All of them:  pleach service list";
      throw new CommandError("E-UNKNOWN", `No site has a service "${name}".`, { hint });
    }
    context.out.result({ services: found }, () => found.map(details).join("\n\n"));
  });
  return help(show, "Shows one service at each site that runs it.", [
    ["pleach service show wiki", ""],
  ]);
}

function removeCommand(context: CliContext): Command {
  const remove = new Command("remove").argument("<name>").action(async (name: string) => {
    await context.client.delete(`/v1/services/${encodeURIComponent(name)}`, doneShape);
    context.out.result({ name, result: "removed" }, `Service ${name} removed from this site.`);
  });
  return help(remove, "Removes a service of this site.", [["pleach service remove wiki", ""]]);
}

function row(service: ServiceInfo): string[] {
  const { name, site, addresses, mesh, lan, confirmedBy } = service;
  const where = [
    ...addresses,
    ...mesh.map((address) => `${address} (mesh)`),
    ...lan.map((address) => `${address} (lan)`),
  ];
  return [name, site, stateWord(service), where.join(" ") || "-", confirmation(confirmedBy)];
}

function confirmation(confirmedBy: readonly string[] | null): string {
  if (confirmedBy === null) return "-";
  return confirmedBy.length === 0 ? "provisional" : `by ${confirmedBy.length}`;
}

function details(service: ServiceInfo): string {
  const { name, site, addresses, mesh, lan, ports, maintainers, zones, declared } = service;
  const { confirmedBy } = service;
  const lines: (readonly [string, string])[] = [
    ["addresses", addresses.join(", ") || "none"],
    ...(mesh.length === 0 ? [] : [["in the mesh", mesh.join(", ")] as const]),
    ...(lan.length === 0 ? [] : [["on its LAN", lan.join(", ")] as const]),
    [
      "ports",
      ports.map(({ name: of, port, transport }) => `${of} ${port}/${transport}`).join(", ") ||
        "none",
    ],
    ["maintainers", maintainers.join(", ") || "none"],
    ["zones", zones === null ? "all" : zones.join(", ")],
    ...stateLines(service),
    ["declared by", declared === "command" ? "a command" : "the configuration of its site"],
  ];
  if (confirmedBy !== null) {
    lines.push([
      "confirmed",
      confirmedBy.length === 0 ? "provisional, no other site has it yet" : confirmedBy.join(", "),
    ]);
  }
  return [
    `${name} on ${site}`,
    ...lines.map(([what, text]) => `  ${what.padEnd(12)} ${text}`),
  ].join("\n");
}

function parseAddress(text: string): string {
  if (isIP(text) > 0) return text;
  throw new UsageError(`"${text}" is not an IPv4 or IPv6 address.`);
}

function parsePort(text: string): { name: string; port: number; transport: "tcp" | "udp" } {
  const [, name, digits, transport] =
    /^([a-z0-9-]{1,32}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const port = Number(digits);
  if (name === undefined || !(port >= 1 && port <= 65_535)) {
    throw new UsageError(`"${text}" is not a port such as https:443 or dns:53/udp.`);
  }
  return { name, port, transport: transport === "udp" ? "udp" : "tcp" };
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
