import { equal, notEqual } from "node:assert/strict";
import { it } from "node:test";
import { addressBytes, networkKey } from "./client.ts";

const keyOf = (text: string): string => networkKey(addressBytes(text));

it("a machine that takes another address of its IPv6 network is the same customer", () => {
  equal(keyOf("2001:db8:1:2::1"), keyOf("2001:db8:1:2:ffff:1:2:3"));
  equal(keyOf("fe80::1%eth0"), keyOf("fe80::2"));
  notEqual(keyOf("2001:db8:1:2::1"), keyOf("2001:db8:1:3::1"));
});

it("every IPv4 address is a customer of its own", () => {
  notEqual(keyOf("192.0.2.1"), keyOf("192.0.2.2"));
});
