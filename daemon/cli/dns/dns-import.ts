/** `pleach dns import` and `pleach dns diff`: zone files, and what they would change. */
import { Command } from "commander";
import { parseDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import { zonesShape } from "../../control/shapes-dns.ts";
import type { FileZone } from "../../core/zones/file-zone.ts";
import {
  differenceLines,
  zoneDifference,
  type ZoneDifference,
} from "../../core/zones/zone-difference.ts";
import { help, type CliContext } from "../shell/context.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { confirm } from "../shell/terminal.ts";
import { parseServer } from "./dns-explain.ts";
import { withPlace, type PlaceOptions } from "./place-options.ts";
import { fetchZone } from "./fetch-zone.ts";
import { readKey } from "./read-key.ts";
import { readZone, zoneOfRecords } from "./read-zone.ts";
import { linesOfZone, sendChange } from "./send-change.ts";

/** Lines of a difference that are shown before a question. */
const SHOWN_LINES = 20;

interface ImportOptions extends PlaceOptions {
  readonly zone?: string;
  readonly from?: string;
  readonly key?: string;
  readonly dryRun?: boolean;
  readonly replace?: boolean;
}

export function importCommand(context: CliContext): Command {
  const command = withPlace(new Command("import"))
    .argument("[file]", "a zone file (RFC 1035), or - for standard input")
    .option("--zone <name>", "the zone, where the file does not say it")
    .option("--from <server>", "by transfer (AXFR) from ADDRESS[:PORT] instead of a file")
    .option("--key <file>", "the key that signs the transfer, as tsig-keygen or BIND has it")
    .option("--replace", "remove what the file lacks; else it stays beside what the file brings")
    .option("--dry-run", "show the difference and change nothing")
    .action(async (file: string | undefined, options: ImportOptions) => {
      await importZone(context, await zoneToImport(file, options), options);
    });
  return help(command, "Brings the records of a zone file into a zone, new or not.", [
    ["pleach dns import /etc/bind/db.mesh.example --zone mesh.example", "from BIND"],
    ["pleach dns import mesh.example.zone --replace --dry-run", "what would change?"],
    [
      "pleach dns import inner.zone --zone mesh.example --view lan",
      "for LANs: its sets hide others",
    ],
    ["pleach dns import --from 192.0.2.53 --zone mesh.example", "from a server that allows it"],
  ]);
}

export function diffCommand(context: CliContext): Command {
  const command = withPlace(new Command("diff"))
    .argument("<zone>")
    .argument("<file>", "a zone file, or - for standard input")
    .action(async (zone: string, file: string, place: PlaceOptions) => {
      const name = parseDnsName(zone);
      const { difference } = await compare(context, readZone(file, name), true, place);
      tellOf(context, difference);
      const lines = differenceLines(difference);
      context.out.result({ zone: zoneText(name), same: lines.length === 0, lines }, () =>
        lines.length === 0 ? `${zoneText(name)} says what ${file} says.` : lines.join("\n"),
      );
    });
  return help(command, "Shows how a zone differs from a file: what `import --replace` would do.", [
    ["pleach dns diff mesh.example mesh.example.zone", "- goes, + comes"],
  ]);
}

async function zoneToImport(
  file: string | undefined,
  { zone, from, key }: ImportOptions,
): Promise<FileZone> {
  const name = zone === undefined ? undefined : parseDnsName(zone);
  if (from === undefined) {
    if (file === undefined) throw new UsageError("A file is needed, or --from SERVER.");
    if (key !== undefined) throw new UsageError("--key goes with --from SERVER.");
    return readZone(file, name);
  }
  if (file !== undefined) throw new UsageError("Either a file or --from SERVER, not both.");
  if (name === undefined) throw new UsageError("--from SERVER needs --zone NAME.");
  const signedBy = key === undefined ? undefined : readKey(key);
  const fetched = await fetchZone(parseServer(from), name, signedBy);
  return zoneOfRecords(`the zone from ${from}`, fetched, name);
}

/** Shows the difference, asks, and makes it so. */
async function importZone(
  context: CliContext,
  file: FileZone,
  { dryRun = false, replace = false, ...place }: ImportOptions,
): Promise<void> {
  const zone = zoneText(file.apex);
  for (const note of file.notes) context.out.note(`note: ${note}`);
  const { difference, isNew } = await compare(context, file, replace, place);
  tellOf(context, difference);
  const { puts, removes, sameCount } = difference;
  const [added, removed] = [puts.length, removes.length];
  if (added + removed === 0) {
    const fields = { zone, change: null, added, removed, same: sameCount, serial: null, dryRun };
    context.out.result(fields, `Nothing to do: ${zone} says so already.`);
    return;
  }
  if (dryRun) {
    const lines = differenceLines(difference);
    const fields = { zone, change: null, added, removed, same: sameCount, serial: null, dryRun };
    context.out.result({ ...fields, lines }, lines.join("\n"));
    return;
  }
  show(context, difference);
  const what = `${added} to write, ${removed} to remove, ${sameCount} as they are`;
  await confirm(`${isNew ? "Start" : "Change"} ${zone} (${what})?`, context.yes);
  const total = added + removed;
  const done = await sendChange(
    context.client,
    puts.map((line) => ({ zone, ...line })),
    removes.map(({ name, type, data }) => ({ zone, name, type, data })),
    place,
    (doneRecords) => context.out.progress({ step: "importing", doneRecords, totalRecords: total }),
  );
  const serial = done.zones.find((each) => each.zone === zone)?.serial ?? null;
  const fields = { zone, change: done.change, added: done.written, removed: done.removed };
  context.out.result({ ...fields, same: sameCount, serial, dryRun }, () =>
    [
      `${zone}: ${done.written} written, ${done.removed} removed. It has serial ${serial}.`,
      ...(done.change === null ? [] : [`To take it back:  pleach dns undo ${done.change}`]),
    ].join("\n"),
  );
}

async function compare(
  context: CliContext,
  file: FileZone,
  replace: boolean,
  place: PlaceOptions,
): Promise<{ readonly difference: ZoneDifference; readonly isNew: boolean }> {
  const zone = zoneText(file.apex);
  const served = await servedLines(context, file.apex, place);
  const isThere = served?.some(({ type, at }) => type === "SOA" && at !== "above") === true;
  if (!isThere && !file.records.some(({ type }) => type === TYPE.SOA)) {
    const where = served === undefined ? "" : ` in the view ${place.view ?? "public"}`;
    const message = `There is no zone ${zone}${where}, and the file has no SOA.`;
    throw new CommandError("E-DNS-FILE", message, {
      hint: `Start it first:  pleach dns add-zone ${zone}`,
    });
  }
  const difference = zoneDifference(served ?? [], file.records, replace);
  const [aliased] = difference.aliased;
  if (aliased === undefined) return { difference, isNew: served === undefined };
  const message = `${aliased} would have a CNAME beside other records.`;
  throw new CommandError("E-DNS-CONFLICT", message, {
    hint: "Remove one of them first, or import with --replace.",
  });
}

/** What a difference leaves as it is, though the file says otherwise. */
function tellOf({ out }: CliContext, { otherSoa, staying }: ZoneDifference): void {
  if (otherSoa !== undefined) {
    out.note("note: the file's SOA is left out: the view has that of a less specific view");
  }
  if (staying.length > 0) {
    const [first] = staying;
    out.note(
      `note: ${staying.length} records of less specific views stay, such as ${first?.name} ${first?.type}: only their own view can remove them`,
    );
  }
}

async function servedLines({ client }: CliContext, apex: DnsName, place: PlaceOptions) {
  const zone = zoneText(apex);
  const { zones } = await client.get("/v1/dns/zones", zonesShape);
  return zones.some(({ name }) => name === zone) ? linesOfZone(client, zone, place) : undefined;
}

function show(context: CliContext, difference: ZoneDifference): void {
  const lines = differenceLines(difference);
  for (const line of lines.slice(0, SHOWN_LINES)) context.out.note(line);
  if (lines.length > SHOWN_LINES) {
    context.out.note(`and ${lines.length - SHOWN_LINES} more: --dry-run shows all`);
  }
}
