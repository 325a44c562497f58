import { deepEqual, equal } from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { formatDnsName, lowerCase, parseDnsName, type DnsName } from "./dns-name.ts";
import { isSoundRdata } from "./rdata.ts";
import { layoutOf } from "./rdata-layout.ts";
import { isZoneType } from "./dns-type.ts";
import { formatZoneFile } from "./zone-file-text.ts";
import { readZoneFile } from "./zone-file.ts";

const APEX = parseDnsName("mesh.example");

const bytes = (max: number) => fc.uint8Array({ minLength: 1, maxLength: max });
const name = fc
  .array(bytes(12), { minLength: 0, maxLength: 5 })
  .map((labels) => Buffer.concat([...labels.flatMap((each) => [Buffer.of(each.length), each])]));
const owner = name.map((labels) => lowerCase(Uint8Array.from([...labels, ...APEX]) as DnsName));
const absolute = name.map((labels) => Uint8Array.from([...labels, 0]));

/** Sound data: of the fields that a type has, or any bytes for one without. */
const record = fc.integer({ min: 1, max: 300 }).chain((type) => {
  if (!isZoneType(type)) return fc.constant(undefined);
  const fields = (layoutOf(type) ?? [{ kind: "text" }]).map(({ kind }) => {
    if (kind === "name") return absolute;
    if (kind === "u8") return fc.uint8Array({ minLength: 1, maxLength: 1 });
    if (kind === "u16") return fc.uint8Array({ minLength: 2, maxLength: 2 });
    if (kind === "u32" || kind === "ipv4") return fc.uint8Array({ minLength: 4, maxLength: 4 });
    if (kind === "seconds") return fc.constant(Uint8Array.of(0, 0, 1, 2));
    if (kind === "ipv6") return fc.uint8Array({ minLength: 16, maxLength: 16 });
    if (kind === "string" || kind === "strings" || kind === "tag") {
      return bytes(20).map((text) => Uint8Array.of(text.length, ...text));
    }
    return fc.uint8Array({ minLength: 0, maxLength: 70 });
  });
  return fc
    .tuple(owner, fc.integer({ min: 0, max: 2 ** 31 - 1 }), ...fields)
    .map(([at, ttl, ...parts]) => ({
      owner: at,
      type,
      ttl,
      rdata: Uint8Array.from(Buffer.concat(parts)),
    }));
});

it("is read back to the same records, whatever they are", () => {
  const seen = new Set<number>();
  fc.assert(
    fc.property(record, (made) => {
      if (made === undefined || !isSoundRdata(made.type, made.rdata)) return;
      seen.add(made.type);
      const text = formatZoneFile(APEX, [{ ...made, rdata: [made.rdata] }]);
      const { records, problems } = readZoneFile({ name: "zone", bytes: Buffer.from(text) });
      deepEqual(problems, []);
      deepEqual(
        records.map(({ owner: at, type, ttl, rdata }) => ({ owner: at, type, ttl, rdata })),
        [made],
        text,
      );
    }),
    { numRuns: 4000, seed: 5 },
  );
  equal(seen.size > 60, true, `${seen.size} types`);
});

it("begins with the SOA, then the zone's own records, then names beside their neighbours", () => {
  const set = (text: string, type: number) => ({
    owner: parseDnsName(text, APEX),
    type,
    ttl: 5,
    rdata: [type === 6 ? Buffer.concat([Buffer.alloc(2), Buffer.alloc(20)]) : Buffer.of(1, 97)],
  });
  const sets = [set("b.z", 16), set("a", 16), set("z", 16), set("@", 16), set("@", 6)];
  const lines = formatZoneFile(APEX, sets).split("\n");
  deepEqual(
    lines.map((line) => line.split("\t")[0]),
    [`$ORIGIN ${formatDnsName(APEX)}`, "@", "@", "a", "z", "b.z", ""],
  );
});
