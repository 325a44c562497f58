/**
 * A zone out of a file of the user, with the files that it includes.
 *
 * All mistakes are told at once, each with its file, line and column.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import {
  problemText,
  readZoneFile,
  type FileProblem,
  type ZoneFileContent,
  type ZoneFileText,
} from "../../../protocol/dns/zone-file.ts";
import { zoneOfFile, type FileZone } from "../../core/zones/file-zone.ts";
import { CommandError } from "../shell/exit.ts";

/** Of one file: a zone of two million records. */
const MAX_FILE_BYTES = 128 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/**
 * @param file - A path, or `-` for standard input.
 * @param zone - What relative names are below of, and the zone; default: what the file says.
 * @throws CommandError E-FILE when a file cannot be read, E-DNS-FILE with all mistakes.
 */
export function readZone(file: string, zone: DnsName | undefined): FileZone {
  const name = file === "-" ? "standard input" : file;
  return zoneOfText({ name, bytes: readBytes(file) }, zone, (included, from) => {
    const directory = from === "standard input" ? "." : dirname(from);
    const path = resolve(directory, included);
    return { name: path, bytes: readBytes(path) };
  });
}

/** The same of a text that was read. @throws CommandError E-DNS-FILE with all mistakes. */
export function zoneOfText(
  text: ZoneFileText,
  zone: DnsName | undefined,
  include?: (name: string, from: string) => ZoneFileText,
): FileZone {
  const content = readZoneFile(text, {
    origin: zone,
    ...(include === undefined ? {} : { include }),
  });
  if (content.problems.length > 0) throw mistakes(text.name, content.problems);
  return zoneOfRecords(text.name, content, zone);
}

/** The same of records that were read. @throws CommandError E-DNS-FILE with all mistakes. */
export function zoneOfRecords(
  name: string,
  { records, leftOut }: Pick<ZoneFileContent, "records" | "leftOut">,
  zone: DnsName | undefined,
): FileZone {
  const made = zoneOfFile(name, records, zone);
  if ("problems" in made) throw mistakes(name, made.problems);
  if (leftOut.size === 0) return made;
  const counts = [...leftOut].map(([type, count]) => `${count} ${type}`).join(", ");
  const note =
    `Signatures are left out (${counts}): the zone is served unsigned. Take its DS record out ` +
    "of the parent zone first, or resolvers that check will refuse it.";
  return { ...made, notes: [...made.notes, note] };
}

function mistakes(file: string, problems: readonly FileProblem[]): CommandError {
  const count = problems.length === 1 ? "a mistake" : `${problems.length} mistakes`;
  return new CommandError("E-DNS-FILE", `${file} has ${count}:`, {
    details: problems.map(problemText),
    hint: "Mend the file and give the command again.",
  });
}

function readBytes(file: string): Uint8Array {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    const descriptor = file === "-" ? 0 : openSync(file, "r");
    try {
      for (;;) {
        const part = Buffer.allocUnsafe(READ_BYTES);
        const count = readSync(descriptor, part);
        if (count === 0) break;
        size += count;
        if (size > MAX_FILE_BYTES) throw new Error(`longer than ${MAX_FILE_BYTES} bytes`);
        parts.push(part.subarray(0, count));
      }
    } finally {
      if (descriptor !== 0) closeSync(descriptor);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError("E-FILE", `${file} cannot be read (${reason}).`, { cause });
  }
  return Buffer.concat(parts);
}
