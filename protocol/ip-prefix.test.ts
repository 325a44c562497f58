import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { parseIpv4, parseIpv6 } from "./ip-address.ts";
import { formatIpPrefix, isInPrefix, parseIpPrefix, type IpPrefix } from "./ip-prefix.ts";

function prefix(text: string): IpPrefix {
  const parsed = parseIpPrefix(text);
  ok("bits" in parsed, text);
  return parsed;
}

function address(text: string): Uint8Array {
  const parsed = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  ok("bytes" in parsed, text);
  return parsed.bytes;
}

describe("a network", () => {
  it("is printed as it was written, in one way", () => {
    const texts = {
      "192.168.0.0/16": "192.168.0.0/16",
      "0.0.0.0/0": "0.0.0.0/0",
      "192.0.2.7": "192.0.2.7/32",
      "FD00:0::/8": "fd00::/8",
      "2001:db8::1": "2001:db8::1/128",
      "::ffff:10.0.0.0/104": "10.0.0.0/8",
      "::ffff:0:0/96": "0.0.0.0/0",
      "::/0": "::/0",
    };
    for (const [text, printed] of Object.entries(texts)) {
      equal(formatIpPrefix(prefix(text)), printed);
    }
  });

  it("says what is wrong with a text that is none", () => {
    const reasons = {
      "192.168.1.5/24": "the network of 24 bits is 192.168.1.0/24",
      "fd00::1/64": "the network of 64 bits is fd00::/64",
      "192.168.1.0/33": "it has at most 32 bits",
      "::/129": "it has at most 128 bits",
      "192.168.1/24": "it has 3 of 4 parts",
      "192.168.1.0/": "it is not ADDRESS/BITS",
      "192.168.1.0/1/2": "it is not ADDRESS/BITS",
      "/8": "it is not ADDRESS/BITS",
      "": "it is not ADDRESS/BITS",
      "fe80::%eth0/64": "a zone index has no meaning for others",
    };
    for (const [text, reason] of Object.entries(reasons))
      deepEqual(parseIpPrefix(text), { reason });
  });

  it("holds the addresses from its first to its last and no other", () => {
    const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      [
        "10.0.0.0/8",
        ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
        ["9.255.255.255", "11.0.0.0"],
      ],
      ["192.168.4.0/22", ["192.168.4.0", "192.168.7.255"], ["192.168.3.255", "192.168.8.0"]],
      ["192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]],
      ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], ["::", "::1.2.3.4"]],
      ["::/0", ["::", "ffff::", "::1.2.3.4"], ["1.2.3.4", "::ffff:1.2.3.4"]],
      ["fc00::/7", ["fc00::", "fdff:ffff::1"], ["fbff::", "fe00::"]],
      ["2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]],
    ];
    for (const [text, inside, outside] of cases) {
      const network = prefix(text);
      for (const each of inside) ok(isInPrefix(network, address(each)), `${each} in ${text}`);
      for (const each of outside) ok(!isInPrefix(network, address(each)), `${each} in ${text}`);
    }
  });
});
