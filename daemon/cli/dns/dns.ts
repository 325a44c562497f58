/** `pleach dns`: zones and records, on any node. */
import { Command } from "commander";
import {
  editResult,
  recordsShape,
  zoneFileShape,
  zonesShape,
  type EditOutcome,
  type EditRequest,
} from "../../control/shapes-dns.ts";
import { parseSeconds } from "../../../protocol/dns/dns-ttl.ts";
import { dnsKeepCommand, listDnsConflicts } from "./dns-conflicts.ts";
import { explainCommand } from "./dns-explain.ts";
import { diffCommand, importCommand } from "./dns-import.ts";
import { integrateCommand } from "./dns-integrate.ts";
import { keysCommand } from "./dns-keys.ts";
import { originText } from "./dns-text.ts";
import { upstreamsCommand } from "./dns-upstreams.ts";
import { placeIn, placeQuery, placeText, withPlace, type PlaceOptions } from "./place-options.ts";
import { changesCommand, undoCommand } from "./dns-undo.ts";
import { help, type CliContext } from "../shell/context.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { table } from "../shell/output.ts";

export function dnsCommand(context: CliContext): Command {
  const dns = help(new Command("dns"), "Zones and records; every node serves and edits them all.", [
    ["pleach dns add-zone mesh.example", "start a zone"],
    ["pleach dns add www.mesh.example A 192.0.2.14", "one more record"],
    ['pleach dns set mesh.example MX "10 mail.mesh.example."', "these records and no others"],
    ["pleach dns list mesh.example", "what is in it"],
    ["pleach dns import db.mesh.example --zone mesh.example", "from another server"],
    ["pleach dns explain www.mesh.example", "why is the answer what it is?"],
    ["pleach dns integrate", "have this machine and its LAN ask this node"],
  ]);
  return dns
    .addCommand(zonesCommand(context))
    .addCommand(addZoneCommand(context))
    .addCommand(removeZoneCommand(context))
    .addCommand(listCommand(context))
    .addCommand(
      editCommand(context, "set", "Makes these the only records of a name and type.", SET),
    )
    .addCommand(editCommand(context, "add", "Adds records to a name.", ADD))
    .addCommand(removeCommand(context))
    .addCommand(dnsKeepCommand(context))
    .addCommand(importCommand(context))
    .addCommand(exportCommand(context))
    .addCommand(diffCommand(context))
    .addCommand(changesCommand(context))
    .addCommand(undoCommand(context))
    .addCommand(explainCommand(context))
    .addCommand(keysCommand(context))
    .addCommand(integrateCommand(context))
    .addCommand(upstreamsCommand(context));
}

const SET: readonly (readonly [string, string])[] = [
  ["pleach dns set www.mesh.example A 192.0.2.14 192.0.2.15 --ttl 5m", "two addresses"],
  ['pleach dns set mesh.example TXT "v=spf1 -all"', "data with blanks stand in quotes"],
  ["pleach dns set www.mesh.example A 10.7.0.14 --view mesh", "another address inside the mesh"],
  ["pleach dns set www.mesh.example A 192.168.1.14 --view lan --site brest", "and on one LAN"],
];
const ADD: readonly (readonly [string, string])[] = [
  ["pleach dns add www.mesh.example AAAA 2001:db8::14", "one more address"],
  ['pleach dns add mesh.example CAA "0 issue \\"letsencrypt.org\\""', "as in a zone file"],
];

function zonesCommand(context: CliContext): Command {
  const zones = new Command("zones").action(async () => {
    const list = await context.client.get("/v1/dns/zones", zonesShape);
    context.out.result(list, () =>
      list.zones.length === 0
        ? "No zones. Start one:  pleach dns add-zone NAME"
        : table([
            ["ZONE", "SERIAL", "RECORDS", "VIEWS", "WARNINGS"],
            ...list.zones.map(({ name, serial, records, views, warnings }) => [
              name,
              String(serial),
              String(records),
              views[0] === "public" ? "all" : views.join(" "),
              warnings.length === 0 ? "-" : String(warnings.length),
            ]),
          ]),
    );
  });
  return help(zones, "Lists the zones of the mesh.", [["pleach dns zones", "all of them"]]);
}

function addZoneCommand(context: CliContext): Command {
  const add = withPlace(new Command("add-zone"))
    .argument("<zone>", "a domain of yours, or home.arpa")
    .option("--mailbox <address>", "who looks after it; default hostmaster@ZONE")
    .option("--serial <number>", "its last serial, when another server has served it")
    .action(async (name: string, options: PlaceOptions & { mailbox?: string; serial?: string }) => {
      const { mailbox } = options;
      const serial = options.serial === undefined ? undefined : parseSerial(options.serial);
      const request = { name, mailbox, serial, ...placeIn(options) };
      const done = await context.client.post("/v1/dns/zones", request, editResult);
      context.out.result(done, `Zone ${done.zone} is served with serial ${done.serial}.`);
    });
  return help(add, "Starts a zone, which all nodes then serve.", [
    ["pleach dns add-zone mesh.example", "a new one"],
    ["pleach dns add-zone bzh.example --serial 2026112101", "taken over from another server"],
    ["pleach dns add-zone home.arpa --view lan", "one that only LANs see"],
  ]);
}

function removeZoneCommand(context: CliContext): Command {
  const remove = new Command("remove-zone").argument("<zone>").action(async (name: string) => {
    if (!context.yes) {
      throw new CommandError("E-CONFIRM", `This takes ${name} and all its records off the mesh.`, {
        hint: `If that is meant:  pleach dns remove-zone ${name} --yes`,
        exit: 2,
      });
    }
    const path = `/v1/dns/zones/${encodeURIComponent(name)}`;
    const done = await context.client.delete(path, editResult);
    context.out.result(
      done,
      `Zone ${done.zone} is gone, with ${done.removed} records.${undoHint(done)}`,
    );
  });
  return help(remove, "Takes a zone off the mesh, with all records in it.", [
    ["pleach dns remove-zone old.example --yes", ""],
  ]);
}

function listCommand(context: CliContext): Command {
  const list = new Command("list")
    .argument("<zone>")
    .option("--view <view>", "what it shows, and no more: public, mesh or lan (this site's)")
    .option("--conflicts", "only records that were changed at two sites at once, every version")
    .action((zone: string, options: { readonly conflicts?: boolean; readonly view?: string }) =>
      options.conflicts === true
        ? listDnsConflicts(context, zone)
        : listRecords(context, zone, options.view),
    );
  return help(list, "Lists the records of a zone and where they come from.", [
    ["pleach dns list mesh.example", "what is served, in any view"],
    ["pleach dns list mesh.example --view lan", "what this site's LAN sees"],
    ["pleach dns list mesh.example --conflicts", "what two sites changed at once"],
  ]);
}

async function listRecords(
  context: CliContext,
  zone: string,
  view: string | undefined,
): Promise<void> {
  const query = placeQuery(view === undefined ? {} : { view });
  const path = `/v1/dns/zones/${encodeURIComponent(zone)}/records${query}`;
  const found = await context.client.get(path, recordsShape);
  for (const warning of found.warnings) context.out.note(`note: ${warning}`);
  // Where everybody sees everything, a column that says so would only take room.
  const isViewed = found.records.some((each) => each.view !== "public");
  const seenBy = (text: string): string[] => (isViewed ? [text] : []);
  context.out.result(found, () =>
    table([
      ["NAME", "TTL", "TYPE", "DATA", ...seenBy("VIEW"), "FROM"],
      ...found.records.map((each) => [
        each.name,
        String(each.ttl),
        each.type,
        each.data.length > 48 ? `${each.data.slice(0, 45)}...` : each.data,
        ...seenBy(placeText(each.view, each.viewSite)),
        originText(each),
      ]),
    ]),
  );
}

interface EditOptions extends PlaceOptions {
  readonly ttl?: string;
}

function editCommand(
  context: CliContext,
  action: "set" | "add",
  summary: string,
  examples: readonly (readonly [string, string])[],
): Command {
  const edit = withPlace(new Command(action))
    .argument("<name>", "the full name, without its final dot if you like")
    .argument("<type>", "A, AAAA, CNAME, MX, TXT, SRV, CAA, HTTPS, TYPE65280 …")
    .argument("<data...>", "one argument a record, as in a zone file")
    .option("--ttl <time>", "seconds, or 5m, 1h30m, 1d; default 300")
    .action(async (name: string, type: string, data: string[], options: EditOptions) => {
      const ttl = options.ttl === undefined ? {} : { ttl: parseSeconds(options.ttl) };
      await sendEdit(context, { action, name, type, data, ...ttl, ...placeIn(options) });
    });
  return help(edit, summary, examples);
}

function removeCommand(context: CliContext): Command {
  const remove = withPlace(new Command("remove"))
    .argument("<name>")
    .argument("[type]", "all types when left out")
    .argument("[data...]", "all records of the type when left out")
    .action(
      async (name: string, type: string | undefined, data: string[], options: PlaceOptions) => {
        if (type === undefined && !context.yes) {
          const where = ` in the view ${options.view ?? "public"}`;
          throw new CommandError("E-CONFIRM", `This removes every record of ${name}${where}.`, {
            hint: `If that is meant:  pleach dns remove ${name} --yes`,
            exit: 2,
          });
        }
        await sendEdit(context, {
          action: "remove",
          name,
          data,
          ...(type === undefined ? {} : { type }),
          ...placeIn(options),
        });
      },
    );
  return help(remove, "Removes records.", [
    ["pleach dns remove www.mesh.example A 192.0.2.14", "this record"],
    ["pleach dns remove www.mesh.example A", "all addresses that the public sees"],
    ["pleach dns remove www.mesh.example A --view lan", "those for LANs: they see the public ones"],
  ]);
}

async function sendEdit(context: CliContext, request: EditRequest): Promise<void> {
  const done = await context.client.post("/v1/dns/records", request, editResult);
  for (const note of done.notes) context.out.note(`note: ${note}`);
  context.out.result(done, sentence(request.name, done));
}

function sentence(name: string, outcome: EditOutcome): string {
  const { zone, serial, written, removed } = outcome;
  if (written === 0 && removed === 0) return `Nothing to do: ${name} is so already.`;
  const parts = [
    ...(written > 0 ? [`${written} written`] : []),
    ...(removed > 0 ? [`${removed} removed`] : []),
  ];
  const done = `${name}: ${parts.join(", ")}. Zone ${zone} has serial ${serial}.`;
  return `${done}${undoHint(outcome)}`;
}

function undoHint({ change }: EditOutcome): string {
  return change === null ? "" : `\nTo take it back:  pleach dns undo ${change}`;
}

function exportCommand(context: CliContext): Command {
  const command = new Command("export")
    .argument("<zone>")
    .option("--view <view>", "what it has: public (default), mesh or lan (this site's)")
    .action(async (zone: string, { view }: { readonly view?: string }) => {
      const query = placeQuery(view === undefined ? {} : { view });
      const path = `/v1/dns/zones/${encodeURIComponent(zone)}/file${query}`;
      const file = await context.client.get(path, zoneFileShape);
      context.out.result(file, file.text);
    });
  return help(command, "Prints a zone as a zone file.", [
    ["pleach dns export mesh.example > mesh.example.zone", "for any other DNS server"],
    ["pleach dns export mesh.example --view lan", "with the records that only LANs see"],
  ]);
}

function parseSerial(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32) return Number(text);
  throw new UsageError(`"${text}" is not a serial number (0 to 4294967295).`);
}
