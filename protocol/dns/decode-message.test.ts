import { deepEqual, equal, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { decode as decodeByOther, type Answer } from "dns-packet";
import fc from "fast-check";
import { z } from "zod";
import { fromHex, toHex } from "../ids.ts";
import { CLASS } from "./dns-code.ts";
import { formatDnsName, parseDnsName, type DnsName } from "./dns-name.ts";
import { TYPE } from "./dns-type.ts";
import { decodeMessage, outlineMessage, type DecodedMessage } from "./decode-message.ts";
import { encodeMessage } from "./encode-message.ts";
import type { DnsMessage, DnsRecord } from "./message.ts";
import { parseRdata } from "./rdata.ts";

const vectors = z
  .object({
    messages: z.array(
      z.object({
        what: z.string(),
        wire: z.string(),
        canonical: z.boolean(),
        message: z.looseObject({}),
      }),
    ),
    faults: z.array(
      z.object({ what: z.string(), wire: z.string(), fault: z.string(), at: z.int() }),
    ),
  })
  .parse(
    JSON.parse(readFileSync(new URL("../vectors/dns-messages.json", import.meta.url), "utf8")),
  );

const record = ({ owner, type, class: recordClass, ttl, rdata }: DnsRecord) => ({
  owner: formatDnsName(owner),
  type,
  class: recordClass,
  ttl,
  rdata: toHex(rdata),
});

/** As the vectors have it: names as text, data as hexadecimal digits. */
function plain(message: DnsMessage) {
  const { id, questions, answers, authorities, additionals } = message;
  const { response, opcode, authoritative, truncated, recursionDesired } = message;
  const { recursionAvailable, reserved, authenticData, checkingDisabled, rcode } = message;
  return {
    ...{ id, response, opcode, authoritative, truncated, recursionDesired },
    ...{ recursionAvailable, reserved, authenticData, checkingDisabled, rcode },
    questions: questions.map(({ name, type, class: asked }) => ({
      name: formatDnsName(name),
      type,
      class: asked,
    })),
    answers: answers.map(record),
    authorities: authorities.map(record),
    additionals: additionals.map(record),
  };
}

function sound(bytes: Uint8Array): DecodedMessage {
  const message = decodeMessage(bytes);
  if ("fault" in message) throw new Error(`${message.fault} at ${message.at}`);
  return message;
}

const name = fc
  .array(fc.constantFrom("a", "B", "mesh", "example", "x".repeat(63), "*", "_sip"), {
    minLength: 1,
    maxLength: 3,
  })
  .map((labels) => parseDnsName(`${labels.join(".")}.`));

/** Data of each kind that both decoders know. */
const typed = fc.oneof(
  name.map((target) => ({ type: TYPE.NS, text: formatDnsName(target) })),
  name.map((target) => ({ type: TYPE.CNAME, text: formatDnsName(target) })),
  name.map((target) => ({ type: TYPE.MX, text: `10 ${formatDnsName(target)}` })),
  name.map((target) => ({ type: TYPE.SRV, text: `1 2 3 ${formatDnsName(target)}` })),
  name.map((target) => ({ type: TYPE.SOA, text: `${formatDnsName(target)} h.x. 7 6 5 4 3` })),
  fc.ipV4().map((text) => ({ type: TYPE.A, text })),
  fc.ipV6().map((text) => ({ type: TYPE.AAAA, text })),
  fc.stringMatching(/^[a-z ]{0,255}$/).map((text) => ({ type: TYPE.TXT, text: `"${text}"` })),
);
const records = fc.array(
  fc.record({ owner: name, data: typed, ttl: fc.nat() }).map(({ owner, data, ttl }) => ({
    owner,
    type: data.type,
    class: CLASS.IN,
    ttl,
    rdata: parseRdata(data.type, data.text),
  })),
  { maxLength: 6 },
);
const messages: fc.Arbitrary<DnsMessage> = fc.record({
  id: fc.nat(0xffff),
  response: fc.constant(true),
  opcode: fc.constant(0),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  reserved: fc.constant(false),
  authenticData: fc.boolean(),
  checkingDisabled: fc.boolean(),
  rcode: fc.nat(15),
  questions: fc.array(
    fc.record({ name, type: fc.constant(TYPE.A), class: fc.constant(CLASS.IN) }),
    {
      maxLength: 2,
    },
  ),
  answers: records,
  authorities: records,
  additionals: records,
});

describe("a whole message", () => {
  it("is the one of the vectors", () => {
    for (const { what, wire, canonical, message } of vectors.messages) {
      const decoded = sound(fromHex(wire));
      deepEqual(plain(decoded), message, what);
      equal(decoded.trailingBytes, 0);
      if (canonical) equal(toHex(encodeMessage(decoded) ?? new Uint8Array()), wire, what);
      else deepEqual(plain(sound(encodeMessage(decoded) ?? new Uint8Array())), message, what);
    }
  });

  it("is refused where the vectors say so", () => {
    for (const { what, wire, fault, at } of vectors.faults) {
      deepEqual(decodeMessage(fromHex(wire)), { fault, at }, what);
    }
  });

  it("says where each record stands, and how many bytes follow the last", () => {
    const wire = fromHex(vectors.messages.find(({ what }) => what.includes("TSIG"))?.wire ?? "");
    const longer = Uint8Array.of(...wire, 1, 2, 3);
    const message = sound(longer);
    equal(message.trailingBytes, 3);
    const outline = outlineMessage(longer);
    const last = "fault" in outline ? undefined : outline.records.at(-1);
    equal(last?.type, TYPE.TSIG);
    equal(last?.start, message.additionals[0]?.start);
    equal(last?.end, wire.length);
  });

  it("has an outline whose signatures, OPT and end are those of its records", () => {
    const kind = fc.constantFrom<number>(TYPE.OPT, TYPE.TSIG, TYPE.A);
    const owner = fc.constantFrom(".", "a.example.").map((text) => parseDnsName(text));
    const some = fc.array(
      fc.record({ owner, type: kind, rdata: fc.uint8Array({ minLength: 4, maxLength: 4 }) }),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(some, some, some, (answers, authorities, additionals) => {
        const sections = [answers, authorities, additionals].map((section) =>
          section.map((each) => ({ ...each, class: CLASS.IN, ttl: 0 })),
        );
        const [one = [], two = [], three = []] = sections;
        const bytes = encodeMessage({
          ...{ id: 1, opcode: 5, rcode: 0, response: false, authoritative: false },
          ...{ truncated: false, recursionDesired: false, recursionAvailable: false },
          ...{ reserved: false, authenticData: false, checkingDisabled: false, questions: [] },
          ...{ answers: one, authorities: two, additionals: three },
        });
        const outline = outlineMessage(bytes ?? new Uint8Array());
        ok(!("fault" in outline));
        const { records } = outline;
        equal(records.length, answers.length + authorities.length + additionals.length);
        deepEqual(outline.last, records.at(-1));
        equal(outline.signatures, records.filter(({ type }) => type === TYPE.TSIG).length);
        deepEqual(
          outline.opt,
          records.find(({ type, section }) => type === TYPE.OPT && section === "additionals"),
        );
      }),
      { seed: 8 },
    );
  });

  it("comes back from its bytes, and another decoder reads the same", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const bytes = encodeMessage(message) ?? new Uint8Array();
        deepEqual(plain(sound(bytes)), plain(message));
        const other = decodeByOther(Buffer.from(bytes));
        equal(other.id, message.id);
        deepEqual(
          [
            other.flag_aa,
            other.flag_tc,
            other.flag_rd,
            other.flag_ra,
            other.flag_ad,
            other.flag_cd,
          ],
          [
            ...[message.authoritative, message.truncated, message.recursionDesired],
            ...[message.recursionAvailable, message.authenticData, message.checkingDisabled],
          ],
        );
        deepEqual(other.answers?.map(otherText), message.answers.map(ownText));
        deepEqual(other.authorities?.map(otherText), message.authorities.map(ownText));
        deepEqual(other.additionals?.map(otherText), message.additionals.map(ownText));
      }),
      { numRuns: 300, seed: 20_261_122 },
    );
  });

  it("is undefined when it does not fit, for every size below its own", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const whole = encodeMessage(message)?.length ?? 0;
        for (let size = 0; size < whole; size += 7) equal(encodeMessage(message, size), undefined);
        equal(encodeMessage(message, whole)?.length, whole);
      }),
      { numRuns: 30, seed: 20_261_122 },
    );
  });

  it("of changed bytes is a message that encodes again, or a fault within them", () => {
    const corpus = vectors.messages.map(({ wire }) => fromHex(wire));
    const changes = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 5 });
    let read = 0;
    fc.assert(
      fc.property(fc.constantFrom(...corpus), changes, fc.nat(220), (wire, flips, size) => {
        const bytes = Uint8Array.from(wire.subarray(0, Math.max(12, size)));
        for (const [at, byte] of flips) if (at < bytes.length) bytes[at] = byte;
        const message = decodeMessage(bytes);
        if ("fault" in message) {
          ok(message.at >= 0 && message.at <= bytes.length);
          return;
        }
        read++;
        const again = encodeMessage(message);
        ok(again !== undefined);
        deepEqual(plain(sound(again)), plain(message));
      }),
      { numRuns: 5000, seed: 20_261_122 },
    );
    ok(read > 500, `${read} were messages`);
  });
});

const text = (owner: DnsName) => formatDnsName(owner).slice(0, -1).replaceAll("\\095", "_");

function ownText({ owner, type, ttl, rdata }: DnsRecord): string {
  return `${text(owner)} ${type} ${ttl} ${toHex(rdata)}`;
}

type KnownAnswer =
  | { readonly type: "A" | "AAAA" | "NS" | "CNAME"; readonly data: string }
  | Extract<Answer, { readonly type: "MX" | "SRV" | "SOA" | "TXT" }>;

/** What the other decoder has read, encoded by us. */
function otherText(answer: Answer): string {
  const { name: owner, ttl } = answer as { name: string; ttl: number };
  const dot = (other: string) => `${other}.`;
  const known = answer as KnownAnswer;
  const [type, data] = ((): readonly [number, string] => {
    switch (known.type) {
      case "A":
        return [TYPE.A, known.data];
      case "AAAA":
        return [TYPE.AAAA, known.data];
      case "NS":
        return [TYPE.NS, dot(known.data)];
      case "CNAME":
        return [TYPE.CNAME, dot(known.data)];
      case "MX":
        return [TYPE.MX, `${known.data.preference} ${dot(known.data.exchange)}`];
      case "SRV": {
        const { priority, weight, port, target } = known.data;
        return [TYPE.SRV, `${priority} ${weight} ${port} ${dot(target)}`];
      }
      case "SOA": {
        const { mname, rname, serial, refresh, retry, expire, minimum } = known.data;
        return [
          TYPE.SOA,
          `${dot(mname)} ${dot(rname)} ${serial} ${refresh} ${retry} ${expire} ${minimum}`,
        ];
      }
      case "TXT":
        return [TYPE.TXT, `"${[known.data].flat().join("")}"`];
    }
  })();
  return `${owner} ${type} ${ttl} ${toHex(parseRdata(type, data))}`;
}
