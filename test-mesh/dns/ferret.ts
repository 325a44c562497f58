/**
 * The Ferret tests: zones, questions, and what BIND, Knot, NSD and PowerDNS answered.
 *
 * Source: Kakarla et al.: SCALE, NSDI 2022; the data set is dns-groot/FerretDataset (MIT).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { decode, encode, type Answer, type RecordType } from "dns-packet";
import { z } from "zod";

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

export function readFerret(file: string): FerretTest[] {
  return gunzipSync(readFileSync(file))
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
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
    else section?.push(line.replace(/\s+/g, " ").toLowerCase());
  }
  const kept = flags.filter((flag) => ["QR", "AA", "TC"].includes(flag)).toSorted();
  return {
    rcode,
    flags: kept,
    sections: [sections[0].toSorted(), sections[1].toSorted(), sections[2].toSorted()],
  };
}

/** The question as a packet, without EDNS. */
export function questionOf({ Query }: FerretTest): Uint8Array {
  const name = Query.Name.replace(/\.$/, "");
  return encode({ type: "query", id: 4711, questions: [{ name, type: Query.Type as RecordType }] });
}

/** Reads our answer with a decoder that is not ours. */
export function replyOf(bytes: Uint8Array): Reply {
  const packet = decode(Buffer.from(bytes));
  const flags = ["QR"];
  if (packet.flag_aa) flags.push("AA");
  if (packet.flag_tc) flags.push("TC");
  const section = (records: readonly Answer[] | undefined) =>
    (records ?? []).map(recordText).toSorted();
  return {
    rcode: (packet as unknown as { rcode: string }).rcode,
    flags: flags.toSorted(),
    sections: [section(packet.answers), section(packet.authorities), section(packet.additionals)],
  };
}

function recordText(record: Answer): string {
  if (record.type === "OPT") return "opt";
  const data = dataText(record);
  return `${record.name}. ${record.ttl} IN ${record.type} ${data}`.replace("..", ".").toLowerCase();
}

function dataText(record: Exclude<Answer, { type: "OPT" }>): string {
  if (record.type === "SOA") {
    const { mname, rname, serial, refresh, retry, expire, minimum } = record.data;
    return `${mname}. ${rname}. ${serial} ${refresh} ${retry} ${expire} ${minimum}`;
  }
  if (record.type === "TXT") {
    const strings = [record.data].flat().map((text) => `"${String(text)}"`);
    return strings.join(" ");
  }
  if (record.type === "A" || record.type === "AAAA") return record.data;
  if (record.type === "NS" || record.type === "CNAME" || record.type === "DNAME") {
    return `${record.data}.`.replace("..", ".");
  }
  throw new Error(`no Ferret zone has ${record.type}`);
}
