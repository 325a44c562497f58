/**
 * Patterns of domain names, by which a key is limited to some names of a zone.
 *
 * Written as a name without its final dot, label by label: `*` stands for any one label, `**` for
 * any number of them, none included. `_acme-challenge.**.mesh.example` is the challenge of the zone
 * and of every name in it; `*.dyn.mesh.example` each name right below `dyn`.
 */
import { labelKeys, parseDnsName, type DnsName } from "./dns-name.ts";

/** More are of no use, and each makes matching slower. */
const MAX_MANY = 2;

export function isNamePattern(pattern: string): boolean {
  try {
    const labels = labelsOfPattern(pattern);
    return labels.length > 0 && labels.filter((label) => label === "**").length <= MAX_MANY;
  } catch {
    return false;
  }
}

/** @param pattern - One that {@link isNamePattern} takes. */
export function matchesPattern(name: DnsName, pattern: string): boolean {
  return matches(labelKeys(name), labelsOfPattern(pattern));
}

function matches(labels: readonly string[], pattern: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return labels.length === 0;
  if (first === "**") {
    for (let taken = 0; taken <= labels.length; taken++) {
      if (matches(labels.slice(taken), rest)) return true;
    }
    return false;
  }
  if (labels.length === 0 || (first !== "*" && first !== labels[0])) return false;
  return matches(labels.slice(1), rest);
}

/** Lower case. @throws DnsValueError when it is no name even with its stars. */
function labelsOfPattern(pattern: string): string[] {
  return labelKeys(parseDnsName(pattern));
}
