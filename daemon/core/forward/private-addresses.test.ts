import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { parseRdata } from "../../../protocol/dns/rdata.ts";
import { leadsInside, withoutPrivate } from "./private-addresses.ts";

test("addresses inside are told from those outside, at their edges", () => {
  const inside = `0.0.0.0 0.1.2.3 10.0.0.0 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.9.9.9
    169.254.1.1 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255`;
  const outside = `1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
    169.253.1.1 169.255.1.1 172.15.255.255 172.32.0.0 192.167.1.1 192.169.1.1 192.0.0.170 203.0.113.1`;
  const inside6 = `:: ::1 fc00::1 fdff::1 fe80::1 febf::1 fec0::1 ::ffff:192.0.2.1 ::192.168.1.1
    64:ff9b::192.168.1.1 64:ff9b:1::192.0.2.1 2002:c0a8:101::1 2002:7f00:1::`;
  const outside6 = `2001:db8::1 fbff::1 fe00::1 ff02::1 64:ff9b::192.0.2.1 64:ff9b::c000:aa 2002:c000:201::1 2620:fe::fe`;
  const look = (type: number, all: string, expected: boolean): void => {
    for (const text of all.trim().split(/\s+/)) {
      assert.equal(leadsInside(type, parseRdata(type, text)), expected, text);
    }
  };
  look(TYPE.A, inside, true);
  look(TYPE.A, outside, false);
  look(TYPE.AAAA, inside6, true);
  look(TYPE.AAAA, outside6, false);
});

test("hints of services count as addresses", () => {
  const inside = [
    "1 . ipv4hint=192.0.2.1,10.0.0.1",
    "1 svc.example. alpn=h2 port=8443 ipv6hint=2001:db8::1,fd00::1",
    "1 . mandatory=ipv4hint ipv4hint=127.0.0.1",
  ];
  const outside = [
    "0 other.example.",
    "1 . alpn=h2",
    "1 . ipv4hint=192.0.2.1 ipv6hint=2001:db8::1",
  ];
  for (const type of [TYPE.HTTPS, TYPE.SVCB]) {
    for (const text of inside) assert.ok(leadsInside(type, parseRdata(type, text)), text);
    for (const text of outside) assert.ok(!leadsInside(type, parseRdata(type, text)), text);
  }
});

test("what cannot be read may lead inside", () => {
  const sound = parseRdata(TYPE.HTTPS, "1 . ipv4hint=192.0.2.1");
  for (const size of [2, 4, 5, 7, sound.length - 1]) {
    assert.ok(leadsInside(TYPE.HTTPS, sound.subarray(0, size)), `${size} bytes`);
  }
  assert.ok(leadsInside(TYPE.A, Uint8Array.of(192, 0, 2)));
  assert.ok(leadsInside(TYPE.AAAA, Uint8Array.of(192, 0, 2, 1, 0)));
  assert.ok(!leadsInside(TYPE.TXT, Uint8Array.of(10, 0, 0, 1)));
});

test("only the records that lead inside are taken out", () => {
  const owner = parseDnsName("www.example");
  const set = (type: number, ...texts: readonly string[]) => ({
    ...{ owner, type, ttl: 60, rdata: texts.map((text) => parseRdata(type, text)) },
  });
  const sound = [set(TYPE.CNAME, "a.example."), set(TYPE.A, "192.0.2.1")];
  assert.equal(withoutPrivate(sound), sound);
  const mixed = withoutPrivate([set(TYPE.A, "10.0.0.1", "192.0.2.1"), set(TYPE.AAAA, "::1")]);
  assert.deepEqual(mixed, [set(TYPE.A, "192.0.2.1")]);
});
