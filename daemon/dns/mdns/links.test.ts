import { deepEqual, equal } from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { describe, it } from "node:test";
import { chooseLinks, onLink, servicesOn, type Link } from "./links.ts";

function at(cidr: string, internal = false): NetworkInterfaceInfo {
  const address = cidr.split("/")[0] ?? "";
  const rest = { netmask: "", mac: "", internal, address, cidr };
  return address.includes(":")
    ? { ...rest, family: "IPv6", scopeid: 0 }
    : { ...rest, family: "IPv4" };
}

const INTERFACES = {
  lo: [at("127.0.0.1/8", true), at("::1/128", true)],
  eth0: [at("192.168.1.2/24"), at("fe80::2/64"), at("2001:db8::2/64")],
  eth1: [at("203.0.113.7/29")],
  wlan0: [at("172.31.5.2/16")],
  docker0: [at("172.17.0.1/16")],
  wg0: [at("10.7.0.2/24")],
  eth2: [at("fe80::3/64")],
};
const LAN: Link = {
  name: "eth0",
  addresses: ["192.168.1.2"],
  six: true,
  networks: ["192.168.1.2/24", "fe80::2/64", "2001:db8::2/64"],
};

describe("the links that mDNS speaks on", () => {
  it("are all LANs, not the uplink, tunnels, or bridges of containers", () => {
    const names = chooseLinks(INTERFACES, true).map(({ name }) => name);
    deepEqual(names, ["eth0", "wlan0"]);
  });

  it("are those that were named, whatever they are, and the loopback never", () => {
    const links = chooseLinks(INTERFACES, ["lo", "eth0", "eth2", "wg0", "eth9"]);
    deepEqual(
      links.map(({ name }) => name),
      ["eth0", "wg0", "eth2"],
    );
    deepEqual(links[0], LAN);
  });
});

describe("who is on a link", () => {
  const isHere = onLink(LAN);

  it("has an address of its networks", () => {
    for (const address of ["192.168.1.99", "fe80::99%eth0", "2001:db8::99"]) {
      equal(isHere(address), true, address);
    }
    for (const address of ["192.168.2.1", "8.8.8.8", "2001:db8:1::9", "169.254.1.1", "", "x"]) {
      equal(isHere(address), false, address);
    }
  });

  it("is told the addresses on it, or all of a service that has none there", () => {
    const service = (...addresses: string[]) => ({ name: "wiki", addresses, ports: [] });
    const told = servicesOn(LAN, [
      service("192.168.1.14", "10.7.0.14", "2001:db8::14"),
      service("192.168.20.14"),
    ]);
    deepEqual(
      told.map(({ addresses }) => addresses),
      [["192.168.1.14", "2001:db8::14"], ["192.168.20.14"]],
    );
  });
});
