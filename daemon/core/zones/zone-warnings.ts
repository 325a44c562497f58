/** What a person should know about a zone, as sentences. */
import {
  countLabels,
  formatDnsName,
  isHostName,
  nameKey,
  parentName,
} from "../../../protocol/dns/dns-name.ts";
import { formatType, TYPE } from "../../../protocol/dns/dns-type.ts";
import type { Zone, ZoneName } from "./zone.ts";

/** More warnings than this are counted, not listed. */
const MAX_WARNINGS = 50;

/**
 * Looks at every name, so it is asked for when somebody wants to read it.
 *
 * @param ignored - About records that could not be read.
 */
export function zoneWarnings(
  { apex, names }: Pick<Zone, "apex" | "names">,
  ignored: Iterable<string>,
): readonly string[] {
  const depth = countLabels(apex);
  const top = names.get(nameKey(apex));
  const warnings = [...ignored].toSorted();
  if (top?.lines.every(({ type }) => type !== TYPE.NS) === true) {
    warnings.push("The zone has no name server: no site says where it answers DNS.");
  }
  const cuts = new Set<string>();
  for (const [key, name] of names) if (name !== top && leadsAway(name)) cuts.add(key);
  if (top?.lines.some(({ type }) => type === TYPE.DNAME) === true) cuts.add(nameKey(apex));
  const ofNames: { readonly key: string; readonly warning: string }[] = [];
  for (const [key, name] of names) {
    for (const warning of [...name.warnings, ...ofPlace(name, depth, cuts)]) {
      ofNames.push({ key, warning });
    }
  }
  ofNames.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return shortened([...warnings, ...ofNames.map(({ warning }) => warning)]);
}

function leadsAway({ lines }: ZoneName): boolean {
  return lines.some(({ type }) => type === TYPE.DNAME || type === TYPE.NS);
}

/** Records that no question reaches, and names that no host can have. */
function ofPlace({ owner, lines }: ZoneName, depth: number, cuts: ReadonlySet<string>): string[] {
  const warnings: string[] = [];
  const hasAddress = lines.some(({ type }) => type === TYPE.A || type === TYPE.AAAA);
  if (hasAddress && !isHostName(owner)) {
    warnings.push(`${formatDnsName(owner)} has an address, but is no name that hosts can have.`);
  }
  if (cuts.size === 0) return warnings;
  for (let up = 1; up <= countLabels(owner) - depth; up++) {
    if (!cuts.has(nameKey(owner, up))) continue;
    for (const type of new Set(lines.map((line) => line.type))) {
      // Glue is for those who are led away.
      if (type === TYPE.A || type === TYPE.AAAA) continue;
      const name = `${formatType(type)} of ${formatDnsName(owner)}`;
      const above = formatDnsName(parentName(owner, up));
      warnings.push(`${name} is never served: ${above} leads elsewhere.`);
    }
    break;
  }
  return warnings;
}

function shortened(warnings: readonly string[]): string[] {
  const unique = [...new Set(warnings)];
  if (unique.length <= MAX_WARNINGS) return unique;
  return [...unique.slice(0, MAX_WARNINGS), `And ${unique.length - MAX_WARNINGS} more.`];
}
