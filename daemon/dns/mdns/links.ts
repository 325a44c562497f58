/**
 * The links of this machine that mDNS speaks on, and who is on them.
 *
 * Chosen by name, or all that carry a private IPv4 network: LANs, not the line to the provider, and
 * no tunnels or bridges of containers, whose other ends are not where people look for services.
 */
import { BlockList, isIPv4, isIPv6 } from "node:net";
import type { networkInterfaces } from "node:os";
import type { LocalService } from "./service-records.ts";

export interface Link {
  /** The interface's. */
  readonly name: string;
  /** Its IPv4 addresses. */
  readonly addresses: readonly string[];
  /** Whether it has an IPv6 address of its own. */
  readonly six: boolean;
  /** Its networks as `192.168.1.0/24` would be written with the host's own bits: `192.168.1.2/24`. */
  readonly networks: readonly string[];
}

type Interfaces = ReturnType<typeof networkInterfaces>;

const NO_LAN =
  /^(?:docker|br-|veth|virbr|lxc|lxd|podman|cni|flannel|tap|tun|vnet|wg|ppp|zt|tailscale)/;

/** @param wanted - Names, or all that look like a LAN. */
export function chooseLinks(
  interfaces: Interfaces,
  wanted: true | readonly string[],
): readonly Link[] {
  return Object.entries(interfaces).flatMap(([name, given]) => {
    const own = (given ?? []).filter(({ internal }) => !internal);
    if (own.length === 0) return [];
    const addresses = own.flatMap(({ address }) => (isIPv4(address) ? address : []));
    const chosen =
      wanted === true ? !NO_LAN.test(name) && addresses.some(isPrivate) : wanted.includes(name);
    if (!chosen) return [];
    return {
      name,
      addresses,
      six: own.some(({ address }) => address.startsWith("fe80:")),
      networks: own.flatMap(({ cidr }) => cidr ?? []),
    };
  });
}

/** Whether an address is on the link: RFC 6762 section 11 wants that of whoever is answered. */
export function onLink(link: Link): (address: string) => boolean {
  const networks = new BlockList();
  for (const network of link.networks) {
    const [address = "", bits = ""] = network.split("/");
    networks.addSubnet(address, Number(bits), isIPv6(address) ? "ipv6" : "ipv4");
  }
  return (text) => {
    const address = text.replace(/%.*$/, "");
    if (isIPv6(address)) return networks.check(address, "ipv6");
    return isIPv4(address) && networks.check(address);
  };
}

/**
 * What a link gets to see: of each service the addresses on it. One that has none there is reached
 * through a router of the LAN and keeps all.
 */
export function servicesOn(link: Link, services: readonly LocalService[]): readonly LocalService[] {
  const here = onLink(link);
  return services.map((service) => {
    const addresses = service.addresses.filter(here);
    return addresses.length === 0 ? service : { ...service, addresses };
  });
}

/** RFC 1918. */
function isPrivate(address: string): boolean {
  return /^(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\./.test(address);
}
