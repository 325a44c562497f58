/** Records in words: where one comes from, and what a server on the network answers. */
import type { Answer, DecodedPacket } from "dns-packet";
import type { RecordInfo } from "../../control/shapes-dns.ts";

/** Who wrote a record, or what it follows from. */
export function originText({
  origin,
  site,
  service,
  tsig,
  provisional,
}: Pick<RecordInfo, "origin" | "site" | "service" | "tsig" | "provisional">): string {
  const where = site ?? "-";
  if (origin === "service") return `service ${service ?? ""} at ${where}`;
  if (origin === "node") return `site ${where}`;
  if (origin === "default") return "the zone";
  const who = tsig === null ? where : `key ${tsig} at ${where}`;
  return provisional ? `${who}, provisional` : who;
}

/** The code and flags, then a line each record. */
export function answerLines(packet: DecodedPacket): string[] {
  const { rcode } = packet as unknown as { readonly rcode: string };
  const flags = [packet.flag_aa ? "authoritative" : "not authoritative"];
  if (packet.flag_tc) flags.push("cut off");
  const sections = [
    ["answer", packet.answers ?? []],
    ["authority", packet.authorities ?? []],
    ["additional", (packet.additionals ?? []).filter(({ type }) => type !== "OPT")],
  ] as const;
  return [
    `${rcode}, ${flags.join(", ")}`,
    ...sections.flatMap(([name, records]) =>
      records.map((record) => `${name}  ${recordLine(record)}`),
    ),
  ];
}

function recordLine(record: Answer): string {
  if (record.type === "OPT") return "OPT";
  const ttl = record.ttl === undefined ? "" : ` ${record.ttl}`;
  return `${printable(record.name)}.${ttl} ${record.type} ${dataText(record.data)}`;
}

/** Whatever shape the decoder gives the data of a type. */
function dataText(data: unknown): string {
  if (typeof data === "string") return printable(data);
  if (data instanceof Uint8Array)
    return JSON.stringify(printable(Buffer.from(data).toString("utf8")));
  if (Array.isArray(data)) return data.map(dataText).join(" ");
  if (typeof data === "object" && data !== null) return Object.values(data).map(dataText).join(" ");
  return String(data);
}

/** Control characters of a foreign server must not reach the terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
