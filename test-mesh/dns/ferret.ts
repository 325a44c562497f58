/**
 * The Ferret tests: zones, questions, and what BIND, Knot, NSD and PowerDNS answered.
 *
 * Source: Kakarla et al.: SCALE, NSDI 2022; the data set is dns-groot/FerretDataset (MIT).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { CLASS, formatRcode, OPCODE } from "../../protocol/dns/dns-code.ts";
import { formatDnsName, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../protocol/dns/dns-type.ts";
import { decodeMessage } from "../../protocol/dns/decode-message.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import type { DnsRecord } from "../../protocol/dns/message.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import { readZoneFile } from "../../protocol/dns/zone-file.ts";

const testShape = z.object({
  id: z.string(),
  zone: z.string(),
  Query: z.object({ Name: z.string(), Type: z.string() }),
  "Expected Response": z.array(z.object({ "Server/s": z.string(), Response: z.array(z.string()) })),
});
export type FerretTest = z.infer<typeof testShape>;

/** What a test compares: code, flags, and the three sections in any order. */
export interface Reply {
  readonly rcode: string;
  readonly flags: readonly string[];
  readonly sections: readonly [readonly string[], readonly string[], readonly string[]];
}

/** The file, from PLEACH_SHARED or from beside the repository; undefined when it is nowhere. */
export function ferretFile(): string | undefined {
  const root = join(import.meta.dirname, "../..");
  const shared = process.env["PLEACH_SHARED"];
  const places =
    shared === undefined ? [join(root, "../shared"), join(root, "../../shared")] : [shared];
  return places.map((place) => join(place, "dns-vectors/ferret.jsonl.gz")).find(existsSync);
}

/** The tests of a file, packed by gzip or not. @throws ZodError, SyntaxError for another file. */
export function readFerret(file: string): FerretTest[] {
  const bytes = readFileSync(file);
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return (packed ? gunzipSync(bytes) : bytes)
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => testShape.parse(JSON.parse(line)));
}

/** The answer that most servers gave, and how many of the four did. */
export function majority(test: FerretTest): { readonly servers: number; readonly reply: Reply } {
  const groups = test["Expected Response"].map((group) => ({
    servers: group["Server/s"].trim().split(/\s+/).length,
    lines: group.Response,
  }));
  const largest = groups.toSorted((a, b) => b.servers - a.servers)[0];
  return { servers: largest?.servers ?? 0, reply: expectedReply(largest?.lines ?? []) };
}

function expectedReply(lines: readonly string[]): Reply {
  const sections: [string[], string[], string[]] = [[], [], []];
  let rcode = "";
  let flags: string[] = [];
  let section: string[] | undefined;
  for (const line of lines) {
    if (line.startsWith("rcode ")) rcode = line.slice(6);
    else if (line.startsWith("flags ")) flags = line.slice(6).split(" ");
    else if (line === ";ANSWER") section = sections[0];
    else if (line === ";AUTHORITY") section = sections[1];
    else if (line === ";ADDITIONAL") section = sections[2];
    else if (line.trim() !== "") section?.push(normalLine(line));
  }
  const kept = flags.filter((flag) => ["QR", "AA", "TC"].includes(flag)).toSorted();
  return {
    rcode,
    flags: kept,
    sections: [sections[0].toSorted(), sections[1].toSorted(), sections[2].toSorted()],
  };
}

/** One spelling for each record: names in lower case, data as we print them. */
function normalLine(line: string): string {
  const { records, problems } = readZoneFile({ name: "", bytes: Buffer.from(line) });
  const [record] = records;
  if (record === undefined || problems.length > 0) return line.replace(/\s+/g, " ").toLowerCase();
  return recordText(record);
}

function recordText({ owner, ttl, type, rdata }: Omit<DnsRecord, "class">): string {
  const text = `${formatDnsName(owner)} ${ttl} IN ${formatType(type)} ${formatRdata(type, rdata)}`;
  return text.toLowerCase();
}

/** The question as a packet, without EDNS. */
export function questionOf({ Query }: FerretTest, id = 4711): Uint8Array {
  const packet = encodeMessage({
    id,
    response: false,
    opcode: OPCODE.QUERY,
    ...{ authoritative: false, truncated: false, recursionDesired: false },
    ...{ recursionAvailable: false, reserved: false, authenticData: false },
    ...{ checkingDisabled: false, rcode: 0 },
    questions: [{ name: parseDnsName(Query.Name), type: parseType(Query.Type), class: CLASS.IN }],
    answers: [],
    authorities: [],
    additionals: [],
  });
  if (packet === undefined) throw new TypeError("a question fits into a message");
  return packet;
}

/** @throws Error when the answer is no message. */
export function replyOf(bytes: Uint8Array): Reply {
  const message = decodeMessage(bytes);
  if ("fault" in message) throw new Error(`the answer has a fault: ${message.fault}`);
  const flags = ["QR"];
  if (message.authoritative) flags.push("AA");
  if (message.truncated) flags.push("TC");
  const section = (records: readonly DnsRecord[]) => records.map(recordText).toSorted();
  return {
    rcode: formatRcode(message.rcode),
    flags: flags.toSorted(),
    sections: [
      section(message.answers),
      section(message.authorities),
      section(message.additionals),
    ],
  };
}
