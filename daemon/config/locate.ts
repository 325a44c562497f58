/**
 * Finds the line of a key in a TOML text, and the nearest known name to a wrong one.
 *
 * The parser does not tell where a key came from. The shortest beginning of the text, in whole
 * lines, that parses and holds the key ends where its value ends; the line after the longest
 * beginning that parses without it is where the key starts. Exact for every TOML text, quadratic
 * in its length, and used for errors only.
 */
import { parse } from "smol-toml";

/** @returns The line, from 1, or undefined when the text holds no such key. */
export function lineOf(text: string, at: readonly PropertyKey[]): number | undefined {
  const lines = text.split("\n");
  let startLine = 1;
  for (let count = 1; count <= lines.length; count++) {
    const value = tryParse(lines.slice(0, count).join("\n"));
    if (value === undefined) continue;
    if (holds(value, at)) return startLine;
    startLine = count + 1;
  }
  return undefined;
}

function tryParse(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function holds(value: unknown, at: readonly PropertyKey[]): boolean {
  let here = value;
  for (const step of at) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, step)) return false;
    here = (here as Record<PropertyKey, unknown>)[step];
  }
  return true;
}

/** The name with the fewest changed letters, if that is at most a third of them and two at least. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Optimal string alignment: insert, delete, change, or swap neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(change, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
