/**
 * At which of its addresses the others are to ask this node.
 *
 * An address of the LAN is the best for all of them; one of the loopback is good on this machine
 * alone. A wildcard says where a server listens, not where it is: addresses of the machine take its
 * place.
 */
import { parseIpv4, parseIpv6 } from "../../../../protocol/ip-address.ts";
import { CommandError } from "../../shell/exit.ts";

/** Where a node answers DNS. */
export interface DnsPlace {
  /** An IP address as text. */
  readonly address: string;
  readonly port: number;
  /** What is shown there; left out where that is not known. */
  readonly view?: string | undefined;
}

/** What a program or device that is to ask the node can do. */
export interface Asker {
  /** What it is called in a sentence: "A router". */
  readonly title: string;
  /** It runs on this machine, so the loopback serves. */
  readonly here: boolean;
  /** It can be told a port other than 53. */
  readonly anyPort: boolean;
}

/** The best first; no rank: nobody can be sent there. */
type Rank = 0 | 1 | 2;

/**
 * @param listening - Where the node answers.
 * @param machine - Addresses of this machine outside of the loopback; they stand for a wildcard.
 * @param wanted - An address that a person has chosen.
 * @throws CommandError (E-DNS-INTEGRATE) that says what to configure.
 */
export function choosePlace(
  asker: Asker,
  listening: readonly DnsPlace[],
  machine: readonly string[],
  wanted?: string,
): DnsPlace {
  if (listening.length === 0) throw nowhere("This node answers DNS nowhere.", asker);
  const places = listening.flatMap((place) => standIns(place, machine));
  if (wanted !== undefined) return wantedPlace(asker, places, wanted);
  const usable = places
    .flatMap((place) => {
      const rank = rankOf(place.address);
      return rank === undefined || (rank === 2 && !asker.here) ? [] : [{ place, rank }];
    })
    .toSorted((a, b) => a.rank - b.rank || lanFirst(a.place, b.place));
  const best = usable.find(({ place }) => asker.anyPort || place.port === 53);
  if (best !== undefined) return best.place;
  if (usable[0] !== undefined) throw wrongPort(asker, usable[0].place);
  throw nowhere(unusable(asker, places), asker);
}

function wantedPlace(asker: Asker, places: readonly DnsPlace[], wanted: string): DnsPlace {
  const found = places.filter(({ address }) => address === wanted);
  const [first] = found;
  if (first === undefined) {
    const where = places.map(formatPlace).join(", ");
    const message = `This node does not answer DNS at ${wanted}.`;
    throw new CommandError("E-DNS-INTEGRATE", message, { hint: `It does at ${where}.` });
  }
  if (isResolvedStub(wanted)) throw nowhere(unusable(asker, found), asker);
  const place = found.find(({ port }) => asker.anyPort || port === 53);
  if (place === undefined) throw wrongPort(asker, first);
  return place;
}

function lanFirst(a: DnsPlace, b: DnsPlace): number {
  return Number(b.view === "lan") - Number(a.view === "lan");
}

/** `192.0.2.1:53`, `[2001:db8::1]:53`. */
export function formatPlace({ address, port }: DnsPlace): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export function isLoopbackText(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function standIns(place: DnsPlace, machine: readonly string[]): readonly DnsPlace[] {
  const { address, port } = place;
  if (address !== "0.0.0.0" && address !== "::") return [place];
  const six = address === "::";
  const own = machine.filter((each) => each.includes(":") === six);
  return [...own, six ? "::1" : "127.0.0.1"].map((each) => ({ address: each, port }));
}

function rankOf(address: string): Rank | undefined {
  if (isResolvedStub(address)) return undefined;
  if (isLoopbackText(address)) return 2;
  const parsed = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  if (!("bytes" in parsed)) return undefined;
  const [first = 0, second = 0] = parsed.bytes;
  if (address.includes(":")) {
    // An address of fe80::/10 means nothing without the interface.
    if (first === 0xfe && (second & 0xc0) === 0x80) return undefined;
    return (first & 0xfe) === 0xfc ? 0 : 1; // RFC 4193
  }
  const isPrivate = // RFC 1918
    first === 10 ||
    (first === 172 && second >= 16 && second < 32) ||
    (first === 192 && second === 168);
  return isPrivate ? 0 : 1;
}

/** Where systemd-resolved itself answers: it would ask itself. */
function isResolvedStub(address: string): boolean {
  return address === "127.0.0.53" || address === "127.0.0.54";
}

function unusable({ title, here }: Asker, places: readonly DnsPlace[]): string {
  const where = places.map(formatPlace).join(", ");
  if (places.some(({ address }) => isResolvedStub(address))) {
    return (
      `This node answers DNS at ${where}; 127.0.0.53 and 127.0.0.54 are systemd-resolved's own, ` +
      "which would ask itself there."
    );
  }
  if (here) return `This node answers DNS at ${where} only, where nothing can be sent to.`;
  return `${title} cannot reach this node: it answers DNS at ${where} only.`;
}

function nowhere(message: string, { anyPort }: Asker): CommandError {
  return new CommandError("E-DNS-INTEGRATE", message, {
    hint:
      "Give [dns] listen an address that the LAN reaches, then restart the daemon:  " +
      `listen = ["192.168.1.2:${anyPort ? 5300 : 53}"]`,
  });
}

function wrongPort({ title }: Asker, place: DnsPlace): CommandError {
  const message = `${title} asks port 53 and no other; this node answers at ${formatPlace(place)}.`;
  const wanted = formatPlace({ ...place, port: 53 });
  return new CommandError("E-DNS-INTEGRATE", message, {
    hint: `Set  [dns] listen = ["${wanted}"] ; how, without rights: "Port 53" in operations.md.`,
  });
}
