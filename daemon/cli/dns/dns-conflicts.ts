/** `pleach dns list ZONE --conflicts` and `pleach dns keep`: DNS records changed at two sites at once. */
import { Command } from "commander";
import { z } from "zod";
import { formatDnsName, nameKey, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../../protocol/dns/dns-type.ts";
import { ZONE_VIEWS } from "../../../protocol/dns/zone-view.ts";
import { PleachError } from "../../../protocol/error.ts";
import { conflictsShape, keptShape, type ConflictInfo } from "../../control/shapes-conflicts.ts";
import { conflictText } from "../conflict-text.ts";
import { help, type CliContext } from "../shell/context.ts";
import { CommandError } from "../shell/exit.ts";

/** A conflict in the class `zone`, with the name and type that its key stands for. */
interface DnsConflict extends ConflictInfo {
  readonly zone: string;
  /** Absolute, without its final dot. */
  readonly name: string;
  readonly type: string;
  /** Whose records these are, as the versions say. */
  readonly view: string;
}

/** Lists those of one zone. */
export async function listDnsConflicts(context: CliContext, zone: string): Promise<void> {
  const wanted = nameKey(parseDnsName(zone));
  const all = (await dnsConflicts(context)).filter(
    (each) => nameKey(parseDnsName(each.zone)) === wanted,
  );
  context.out.result({ zone, conflicts: all }, () =>
    all.length === 0
      ? `No record of ${zone} was changed at two sites at once.`
      : all
          .map((each) => {
            const { name, type, view } = each;
            const option = view === "public" ? "" : ` --view ${view}`;
            const label = view === "public" ? `${name} ${type}` : `${name} ${type} (${view})`;
            return conflictText(
              each,
              `pleach dns keep ${name} ${type} --from SITE${option}`,
              label,
            );
          })
          .join("\n\n"),
  );
}

interface KeepOptions {
  readonly from: string;
  readonly view: string;
}

export function dnsKeepCommand(context: CliContext): Command {
  const keep = new Command("keep")
    .argument("<name>", "the full name, without its final dot if you like")
    .argument("<type>", "A, AAAA, CNAME, MX, TXT …")
    .requiredOption("--from <site>", "whose version is to stay")
    .option("--view <view>", "of the records: public, mesh or lan", "public")
    .action(async (name: string, type: string, { from, view }: KeepOptions) => {
      const owner = nameKey(parseDnsName(name));
      const wanted = formatType(parseType(type));
      const matching = (await dnsConflicts(context)).filter(
        (each) =>
          nameKey(parseDnsName(each.name)) === owner && each.type === wanted && each.view === view,
      );
      const versions = matching.flatMap((each) => versionFrom(each, from));
      if (versions.length === 0) {
        const sites = matching.flatMap((each) => each.versions.map(({ site }) => site));
        const problem =
          matching.length === 0
            ? `${name} ${wanted} in the view ${view} was not changed at two sites at once.`
            : `No version of ${name} ${wanted} is from ${from}.`;
        const hint =
          matching.length === 0
            ? "All conflicts:  pleach conflicts"
            : `There are versions from ${[...new Set(sites)].join(", ")}.`;
        throw new CommandError("E-UNKNOWN", problem, { hint });
      }
      const done = await context.client.post("/v1/conflicts/keep", { versions }, keptShape);
      context.out.result(done, `${name} ${wanted} is what ${from} wrote, on all sites.`);
    });
  return help(keep, "Settles a record that was changed at two sites at once.", [
    ["pleach dns keep www.mesh.example CNAME --from brest", "brest's version stays, alone"],
  ]);
}

/** The newest of this site: the versions are in the order in which they would be shown. */
function versionFrom({ versions }: ConflictInfo, from: string): readonly string[] {
  const found = versions.find(({ site, siteId }) => site === from || siteId === from);
  return found === undefined ? [] : [found.id];
}

async function dnsConflicts(context: CliContext): Promise<readonly DnsConflict[]> {
  const { conflicts } = await context.client.get("/v1/conflicts", conflictsShape);
  return conflicts.flatMap((each) => {
    const [zone = "", relative = "", type = ""] = each.key.split("/");
    const name = each.class === "zone" ? nameOf(relative, zone) : undefined;
    return name === undefined ? [] : [{ ...each, zone, name, type, view: viewIn(each) }];
  });
}

/** As the first version says that says one: members can write anything. */
function viewIn({ versions }: ConflictInfo): string {
  for (const { value } of versions) {
    const parsed = z.object({ view: z.enum(ZONE_VIEWS) }).safeParse(value);
    if (parsed.success) return parsed.data.view;
  }
  return "public";
}

/** Undefined for a key that is none of a DNS record: members can write any. */
function nameOf(relative: string, zone: string): string | undefined {
  try {
    return formatDnsName(parseDnsName(relative, parseDnsName(zone))).replace(/\.$/, "");
  } catch (error) {
    if (error instanceof PleachError) return undefined;
    throw error;
  }
}
