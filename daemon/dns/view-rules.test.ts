import { equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { parseIpPrefix } from "../../protocol/ip-prefix.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { addressBytes } from "./client.ts";
import { viewOf, type ViewRule } from "./view-rules.ts";

function rule(text: string, view: ZoneView): ViewRule {
  const prefix = parseIpPrefix(text);
  ok("bits" in prefix);
  return { prefix, view };
}

const RULES = [
  rule("10.0.0.0/8", "mesh"),
  rule("10.7.0.0/16", "lan"),
  rule("10.7.66.0/24", "public"),
  rule("fd00::/8", "mesh"),
  rule("fe80::/10", "lan"),
];

test("without rules everybody is of the public", () => {
  for (const address of ["127.0.0.1", "192.168.1.2", "::1", "fe80::1%eth0"]) {
    equal(viewOf([], undefined, addressBytes(address)), "public");
  }
});

test("the longest network that an address is in decides, whatever the order", () => {
  const cases: Readonly<Record<string, ZoneView>> = {
    "10.1.2.3": "mesh",
    "10.7.2.3": "lan",
    "10.7.66.3": "public",
    "::ffff:10.7.2.3": "lan",
    "::ffff:10.7.66.3": "public",
    "192.0.2.1": "public",
    "fd12::1": "mesh",
    "fe80::1%eth0": "lan",
    "2001:db8::1": "public",
    "::10.7.2.3": "public",
  };
  for (const [address, view] of Object.entries(cases)) {
    equal(viewOf(RULES, undefined, addressBytes(address)), view, address);
    equal(viewOf(RULES.toReversed(), undefined, addressBytes(address)), view, address);
  }
});

test("the view of the address that was asked stands above the networks", () => {
  equal(viewOf(RULES, "public", addressBytes("10.7.2.3")), "public");
  equal(viewOf(RULES, "lan", addressBytes("192.0.2.1")), "lan");
});
