/**
 * `pleach dns integrate`: prints what makes a machine, a resolver or a router ask this node.
 *
 * It writes nothing anywhere: who answers DNS on a machine is for its people to decide.
 */
import { networkInterfaces } from "node:os";
import { Command, Option } from "commander";
import { zonesShape } from "../../control/shapes-dns.ts";
import { CommandError } from "../shell/exit.ts";
import { help, type CliContext } from "../shell/context.ts";
import { wrap } from "../shell/output.ts";
import { choosePlace } from "./integrate/choose-place.ts";
import { ASKERS, recipeFor, TARGETS, type Recipe, type Target } from "./integrate/recipes.ts";

const WIDTH = 80;

interface IntegrateOptions {
  readonly for: Target;
  readonly zone: readonly string[];
  readonly address?: string;
}

export function integrateCommand(context: CliContext): Command {
  const integrate = new Command("integrate")
    .addOption(
      new Option("--for <name>", "what is to ask this node").choices(TARGETS).default("resolved"),
    )
    .option("--zone <name>", "only this zone; may be repeated", collect, [])
    .option("--address <ip>", "where to ask, of the addresses that this node listens on")
    .action(async (options: IntegrateOptions) => {
      const { zones, listening } = await context.client.get("/v1/dns/zones", zonesShape);
      const names = chosenZones(
        zones.map(({ name }) => name),
        options.zone,
      );
      const target = options.for;
      const machine = machineAddresses();
      if (target === "router") refuseDeadEnd(context);
      const place = choosePlace(ASKERS[target], listening, machine, options.address);
      const recipe = recipeFor(target, { zones: names, place, command: commandLine(options) });
      context.out.note(words(recipe).join("\n"));
      context.out.result({ for: target, server: place, zones: names, ...recipe }, recipe.text);
    });
  return help(integrate, "Prints what makes resolvers ask this node; writes nothing.", [
    ["pleach dns integrate", "for systemd-resolved, on this machine and others of the LAN"],
    ["pleach dns integrate --for dnsmasq", "also: unbound, networkmanager, openwrt"],
    ["pleach dns integrate --for router", "what to enter in its DHCP settings"],
  ]);
}

/** A router sends the LAN here for every name: without a forwarder it would know only the mesh's. */
function refuseDeadEnd({ config }: CliContext): void {
  if (config.dns.forward !== undefined) return;
  const message =
    "A LAN that its router leads here asks this node for every name, and it forwards none.";
  throw new CommandError("E-DNS-INTEGRATE", message, {
    hint:
      "Say where it is to ask for names of others, then restart the daemon:  " +
      '[dns.forward] upstreams = ["tls://9.9.9.9#dns.quad9.net"]',
  });
}

function commandLine({ for: target, zone, address }: IntegrateOptions): string {
  return [
    "pleach dns integrate",
    ...(target === "resolved" ? [] : ["--for", target]),
    ...zone.flatMap((name) => ["--zone", name]),
    ...(address === undefined ? [] : ["--address", address]),
  ].join(" ");
}

function chosenZones(there: readonly string[], wanted: readonly string[]): readonly string[] {
  if (there.length === 0) {
    throw new CommandError("E-DNS-INTEGRATE", "This mesh has no zone that could be asked for.", {
      hint: "Start one:  pleach dns add-zone NAME",
    });
  }
  if (wanted.length === 0) return there;
  return wanted.map((text) => {
    const name = text.toLowerCase().replace(/\.$/, "");
    if (there.includes(name)) return name;
    throw new CommandError("E-UNKNOWN", `There is no zone "${text}" in this mesh.`, {
      hint: `Zones: ${there.join(", ")}.`,
    });
  });
}

/** Bridges of containers and virtual machines: the LAN does not reach what is behind them. */
const INNER_INTERFACE = /^(?:docker|br-|veth|virbr|lxc|lxd|podman|cni|flannel|tap|vnet)/;

function machineAddresses(): readonly string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    INNER_INTERFACE.test(name)
      ? []
      : (addresses ?? []).flatMap(({ address, internal }) => (internal ? [] : [address])),
  );
}

function words({ file, next, undo, notes }: Recipe): readonly string[] {
  return [
    ...notes.flatMap((note) => wrap(note, WIDTH)),
    ...(notes.length === 0 ? [] : [""]),
    ...(file === null ? [] : [`Nothing was written. What follows belongs into ${file}.`]),
    file === null ? "Next:" : "Next, as root:",
    ...next.map((line) => `  ${line}`),
    "To take it back:",
    ...undo.map((line) => `  ${line}`),
    "",
  ];
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
