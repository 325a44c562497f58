import assert from "node:assert/strict";
import { test } from "node:test";
import { recordOf, SOA } from "../../../test-mesh/dns/upstream-server.ts";
import { formatDnsName, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../../protocol/dns/dns-type.ts";
import type { DnsMessage, DnsRecord } from "../../../protocol/dns/message.ts";
import type { RRset } from "../zones/zone.ts";
import { keptSeconds } from "./resolution.ts";
import { readReply } from "./upstream-reply.ts";
import { matchReply, writeUpstreamQuery } from "./upstream-query.ts";

const asked = (name: string, type = "A", dnssecOk = false) => ({
  ...{ name: parseDnsName(name), type: parseType(type), dnssecOk, checkingDisabled: false },
});

function message(more: Partial<DnsMessage>): DnsMessage {
  return {
    ...{ id: 0, response: true, opcode: 0, authoritative: false, truncated: false, rcode: 0 },
    ...{ recursionDesired: true, recursionAvailable: true, reserved: false },
    ...{ authenticData: false, checkingDisabled: false, questions: [] },
    ...{ answers: [], authorities: [], additionals: [] },
    ...more,
  };
}

const records = (...lines: readonly string[]): readonly DnsRecord[] => lines.map(recordOf);
const text = (sets: readonly RRset[]): readonly string[] =>
  sets.map(({ owner, type, ttl, rdata }) =>
    [formatDnsName(owner), ttl, formatType(type), rdata.length].join(" "),
  );
/** Its data are the type that it is about, and nothing that would verify. */
const signature = (owner: string, type: string): string =>
  `${owner} 300 RRSIG \\# 4 ${parseType(type).toString(16).padStart(4, "0")}0d02`;
const proof = (owner: string): string => `${owner} 300 NSEC \\# 4 00000140`;

function read(more: Partial<DnsMessage>, question = asked("www.example"), trusted = true) {
  return readReply(message(more), question, trusted);
}

function resolved(more: Partial<DnsMessage>, question = asked("www.example"), trusted = true) {
  const reply = read(more, question, trusted);
  assert.equal(reply.kind, "resolved");
  if (reply.kind !== "resolved") throw new Error("unreachable");
  return reply.resolution;
}

test("records of one name and type are one set, with the least TTL", () => {
  const answers = records("www.example 300 A 192.0.2.1", "WWW.example 60 A 192.0.2.2");
  assert.deepEqual(text(resolved({ answers }).answers), ["www.example. 60 A 2"]);
});

test("aliases are followed in their order, whatever the order of the records", () => {
  const answers = records(
    "c.example 300 A 192.0.2.1",
    "b.example 100 CNAME c.example.",
    "www.example 200 CNAME b.example.",
    "d.example 300 A 192.0.2.66",
  );
  const resolution = resolved({ answers });
  assert.deepEqual(text(resolution.answers), [
    "www.example. 200 CNAME 1",
    "b.example. 100 CNAME 1",
    "c.example. 300 A 1",
  ]);
  assert.equal(keptSeconds(resolution, parseType("A")), 100);
  const alias = resolved({ answers }, asked("www.example", "CNAME"));
  assert.deepEqual(text(alias.answers), ["www.example. 200 CNAME 1"]);
});

test("an alias that is made of a redirection brings it along", () => {
  const answers = records(
    "old.example 300 DNAME new.example.",
    "a.old.example 300 CNAME a.new.example.",
    "a.new.example 300 A 192.0.2.1",
  );
  assert.deepEqual(text(resolved({ answers }, asked("a.old.example")).answers), [
    "old.example. 300 DNAME 1",
    "a.old.example. 300 CNAME 1",
    "a.new.example. 300 A 1",
  ]);
});

test("with DO signatures and proofs come along, without it none", () => {
  const answers = records("www.example 300 A 192.0.2.1", signature("www.example", "A"));
  const authorities = records(proof("a.example"), signature("a.example", "NSEC"));
  const signed = resolved({ answers, authorities }, asked("www.example", "A", true));
  assert.deepEqual(text(signed.answers), ["www.example. 300 A 1", "www.example. 300 RRSIG 1"]);
  assert.deepEqual(text(signed.authorities), ["a.example. 300 NSEC 1", "a.example. 300 RRSIG 1"]);
  const plain = resolved({ answers, authorities });
  assert.deepEqual(text([...plain.answers, ...plain.authorities]), ["www.example. 300 A 1"]);
});

test("what is not there lasts as long as the SOA record says, of a zone that holds the name", () => {
  const authorities = records(SOA, "example. 900 NS ns.example.");
  const resolution = resolved({ rcode: 3, authorities });
  assert.deepEqual(text(resolution.authorities), ["example. 300 SOA 1"]);
  assert.equal(keptSeconds(resolution, 1), 300);
  const strange = resolved({ rcode: 3, authorities: records(SOA.replace("example.", "other.")) });
  assert.deepEqual([strange.authorities, keptSeconds(strange, 1)], [[], 5]);
  const alias = records("www.example 60 CNAME b.example.");
  const half = resolved({ rcode: 3, answers: alias, authorities: records(SOA) });
  assert.deepEqual([half.answers.length, keptSeconds(half, 1)], [1, 60]);
});

test("a TTL beyond all bounds is none", () => {
  const [record] = records("www.example 1 A 192.0.2.1");
  assert.ok(record !== undefined);
  const answers = [{ ...record, ttl: 2 ** 31 }];
  assert.deepEqual(text(resolved({ answers }).answers), ["www.example. 0 A 1"]);
});

test("what an upstream says of signatures counts when nobody else can say it", () => {
  const answers = records("www.example 300 A 192.0.2.1");
  const question = asked("www.example");
  assert.equal(resolved({ answers, authenticData: true }, question).authenticated, true);
  assert.equal(resolved({ answers, authenticData: true }, question, false).authenticated, false);
});

test("whoever has no answer has failed, with his reason", () => {
  const [opt] = records("www.example 1 A 192.0.2.1");
  assert.ok(opt !== undefined);
  const rdata = Uint8Array.of(0, 10, 0, 2, 1, 1, 0, 15, 0, 2, 0, 6);
  const additionals = [{ ...opt, owner: parseDnsName("."), type: 41, ttl: 0, rdata }];
  assert.deepEqual(read({ rcode: 2, additionals }), { kind: "failed", rcode: 2, error: 6 });
  assert.deepEqual(read({ rcode: 5 }), { kind: "failed", rcode: 5, error: undefined });
  const wide = additionals.map((each) => ({ ...each, ttl: 0x0100_0000 }));
  assert.deepEqual(read({ additionals: wide }), { kind: "failed", rcode: 16, error: 6 });
  const authorities = records("example. 300 NS ns.example.");
  assert.equal(read({ authorities }).kind, "failed");
});

test("a padded question hides how long its name is", () => {
  const sizes = ["a.example", "a-name-of-some-length.example", "."].map((name) => {
    const query = { id: 1, asked: asked(name), letters: undefined, padded: true };
    return writeUpstreamQuery(query).length;
  });
  assert.deepEqual(sizes, [128, 128, 128]);
});

test("an answer has to repeat the question, to the letter", () => {
  const letters = Uint8Array.from({ length: 32 }, () => 0x5a);
  const query = { id: 513, asked: asked("www.example", "HTTPS"), letters, padded: false };
  const question = writeUpstreamQuery(query);
  const reply = Uint8Array.from(question);
  reply[2] = 0x81;
  assert.equal(matchReply(question, reply), "same");
  const lower = Uint8Array.from(writeUpstreamQuery({ ...query, letters: undefined }));
  lower[2] = 0x81;
  assert.equal(matchReply(question, lower), "respelled");
  for (let at = 0; at < question.length - 11; at++) {
    // The flags are said by whoever answers, and so are the other counts.
    if (at === 3 || (at >= 6 && at <= 11)) continue;
    const wrong = Uint8Array.from(reply);
    wrong[at] = (wrong[at] ?? 0) ^ 0x80;
    assert.equal(matchReply(question, wrong), "other", `byte ${at}`);
  }
  for (let size = 0; size < question.length - 11; size++) {
    assert.equal(matchReply(question, reply.subarray(0, size)), "other");
  }
});
