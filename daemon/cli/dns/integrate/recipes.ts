/**
 * What makes one kind of resolver ask this node for the mesh's zones: the text for it, where that
 * belongs, what to do then, and how to take it back.
 *
 * Only names of the zones are led here; for all others each resolver goes on as it was. A router that
 * tells its LAN a DNS server leads every name here.
 */
import { formatIpv6, parseIpv6 } from "../../../../protocol/ip-address.ts";
import type { Asker, DnsPlace } from "./choose-place.ts";
import { isLoopbackText } from "./choose-place.ts";

export const TARGETS = [
  "resolved",
  "dnsmasq",
  "unbound",
  "networkmanager",
  "openwrt",
  "router",
] as const;
export type Target = (typeof TARGETS)[number];

export const ASKERS: Readonly<Record<Target, Asker>> = {
  resolved: { title: "systemd-resolved", here: true, anyPort: true },
  dnsmasq: { title: "dnsmasq", here: true, anyPort: true },
  unbound: { title: "unbound", here: true, anyPort: true },
  networkmanager: { title: "NetworkManager", here: true, anyPort: true },
  openwrt: { title: "A router with OpenWrt", here: false, anyPort: true },
  router: { title: "A router", here: false, anyPort: false },
};

export interface Recipe {
  /** Where the text belongs; null when it is to be typed or run somewhere else. */
  readonly file: string | null;
  readonly text: string;
  /** Commands or acts, in this order. */
  readonly next: readonly string[];
  readonly undo: readonly string[];
  /** What to know before: whole sentences. */
  readonly notes: readonly string[];
}

export interface Wanted {
  /** One or more, without their final dots. */
  readonly zones: readonly string[];
  readonly place: DnsPlace;
  /** What prints the text again. */
  readonly command: string;
}

export function recipeFor(target: Target, wanted: Wanted): Recipe {
  const { place } = wanted;
  const recipe = RECIPES[target](wanted);
  const { address, view } = place;
  const notes = isLoopbackText(address)
    ? [`${address} is this machine alone: other machines cannot use this.`]
    : [];
  if (view !== undefined && view !== "lan") {
    notes.push(
      `Who asks from ${address} is shown the view "${view}", without what only the LAN has. ` +
        `Where that is wrong, name its network in [dns.views], as in  lan = ["${networkOf(address)}"]`,
    );
  }
  return { ...recipe, notes: [...notes, ...recipe.notes] };
}

/** As most LANs are cut. */
function networkOf(address: string): string {
  const six = parseIpv6(address);
  if (address === "::1") return "::1/128";
  if ("bytes" in six) return `${formatIpv6(six.bytes.fill(0, 8))}/64`;
  if (address.startsWith("127.")) return "127.0.0.0/8";
  return `${address.split(".").slice(0, 3).join(".")}.0/24`;
}

const RECIPES: Readonly<Record<Target, (wanted: Wanted) => Recipe>> = {
  resolved,
  dnsmasq: ({ zones, place, command }) => ({
    file: "/etc/dnsmasq.d/pleach.conf",
    text: dnsmasqLines(zones, place),
    next: [
      put(command, "/etc/dnsmasq.d/pleach.conf"),
      "dnsmasq --test && systemctl restart dnsmasq",
      `dig @127.0.0.1 ${zones[0]} SOA`,
    ],
    undo: ["rm /etc/dnsmasq.d/pleach.conf", "systemctl restart dnsmasq"],
    notes: [],
  }),
  unbound,
  networkmanager: ({ zones, place, command }) => ({
    file: "/etc/NetworkManager/dnsmasq.d/pleach.conf",
    text: dnsmasqLines(zones, place),
    next: [
      "apt install dnsmasq-base",
      put(command, "/etc/NetworkManager/dnsmasq.d/pleach.conf"),
      String.raw`printf '[main]\ndns=dnsmasq\n' > /etc/NetworkManager/conf.d/pleach.conf`,
      "systemctl restart NetworkManager",
      `dig ${zones[0]} SOA`,
    ],
    undo: [
      "rm /etc/NetworkManager/dnsmasq.d/pleach.conf /etc/NetworkManager/conf.d/pleach.conf",
      "systemctl restart NetworkManager",
    ],
    notes: [
      "Where systemd-resolved runs, NetworkManager leaves DNS to it: use --for resolved there.",
    ],
  }),
  openwrt: ({ zones, place: { address, port }, command }) => ({
    file: null,
    text: [
      ...zones.flatMap((zone) => [
        `uci add_list dhcp.@dnsmasq[0].server='/${zone}/${address}#${port}'`,
        `uci add_list dhcp.@dnsmasq[0].rebind_domain='${zone}'`,
      ]),
      "uci commit dhcp",
      "/etc/init.d/dnsmasq restart",
    ].join("\n"),
    next: [`${command} | ssh root@192.168.1.1 sh`, `dig @192.168.1.1 ${zones[0]} SOA`],
    undo: [
      ...zones.flatMap((zone) => [
        `uci del_list dhcp.@dnsmasq[0].server='/${zone}/${address}#${port}'`,
        `uci del_list dhcp.@dnsmasq[0].rebind_domain='${zone}'`,
      ]),
      "uci commit dhcp; /etc/init.d/dnsmasq restart",
    ],
    notes: ["192.168.1.1 stands for the address of your router."],
  }),
  router: ({ zones, place: { address } }) => ({
    file: null,
    text: `DNS server for the LAN (DHCP): ${address}`,
    next: [
      "Enter the address in the DHCP settings of the router as the one DNS server.",
      "Have a device fetch its settings anew (unplug it, or switch its Wi-Fi off and on).",
      `On it:  nslookup -type=SOA ${zones[0]}`,
    ],
    undo: ["Put the router's own address back into its DHCP settings."],
    notes: [
      "The LAN then asks this node for every name, and has none while it is off.",
      "Of two DNS servers devices ask either, in no order: both must know the zones. " +
        "Two nodes of the mesh are a good pair, a node and the router are not.",
    ],
  }),
};

function resolved({ zones, place: { address, port }, command }: Wanted): Recipe {
  const host = port !== 53 && address.includes(":") ? `[${address}]` : address;
  const file = "/etc/systemd/resolved.conf.d/pleach.conf";
  return {
    file,
    text: [
      "# Names of these zones are asked of Pleach. By: pleach dns integrate",
      "[Resolve]",
      `DNS=${port === 53 ? host : `${host}:${port}`}`,
      `Domains=${zones.map((zone) => `~${zone}`).join(" ")}`,
    ].join("\n"),
    next: [
      put(command, file),
      "systemctl restart systemd-resolved",
      `resolvectl query --type=SOA ${zones[0]}`,
    ],
    undo: [`rm ${file}`, "systemctl restart systemd-resolved"],
    notes: [
      "For machines with systemd-resolved; on Debian 12:  apt install systemd-resolved",
      "Programs go on asking 127.0.0.53, which is systemd-resolved itself; that address " +
        "stands neither here nor in [dns] listen.",
      "No other DNS= may stand in resolved.conf or beside it (resolvectl status, Global): of several " +
        "such servers one is asked. Servers of a link, as DHCP brings them, go on as they are.",
    ],
  };
}

function dnsmasqLines(zones: readonly string[], { address, port }: DnsPlace): string {
  return [
    "# Names of these zones are asked of Pleach. By: pleach dns integrate",
    ...zones.flatMap((zone) => [
      `server=/${zone}/${address}#${port}`,
      // With stop-dns-rebind private addresses would be taken out of the answers.
      `rebind-domain-ok=/${zone}/`,
    ]),
  ].join("\n");
}

function unbound({ zones, place: { address, port }, command }: Wanted): Recipe {
  const file = "/etc/unbound/unbound.conf.d/pleach.conf";
  const blocked = [...new Set(zones.flatMap(unboundOwnZone))];
  return {
    file,
    text: [
      "# Names of these zones are asked of Pleach. By: pleach dns integrate",
      "server:",
      ...(isLoopbackText(address) ? ["    do-not-query-localhost: no"] : []),
      ...blocked.map((zone) => `    local-zone: "${zone}" nodefault`),
      ...zones.flatMap((zone) => [
        `    private-domain: "${zone}"`,
        `    domain-insecure: "${zone}"`,
      ]),
      ...zones.flatMap((zone) => [
        "stub-zone:",
        `    name: "${zone}"`,
        `    stub-addr: ${address}@${port}`,
      ]),
    ].join("\n"),
    next: [
      put(command, file),
      "unbound-checkconf && systemctl reload unbound",
      `dig @127.0.0.1 ${zones[0]} SOA`,
    ],
    undo: [`rm ${file}`, "systemctl reload unbound"],
    notes: [],
  };
}

/** Not a redirection: under a strict umask only root could read the file. */
function put(command: string, file: string): string {
  return `${command} | install -Dm644 /dev/stdin ${file}`;
}

/** Zones that unbound answers by itself unless told not to. Source: unbound.conf(5), `local-zone`. */
const UNBOUND_OWN = [
  "home.arpa",
  "test",
  "10.in-addr.arpa",
  ...Array.from({ length: 16 }, (_, index) => `${index + 16}.172.in-addr.arpa`),
  "168.192.in-addr.arpa",
  "d.f.ip6.arpa",
];

function unboundOwnZone(zone: string): readonly string[] {
  return UNBOUND_OWN.filter((own) => zone === own || zone.endsWith(`.${own}`));
}
