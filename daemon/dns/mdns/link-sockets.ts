/**
 * The sockets of one link: a packet of the group goes in, packets go out, nothing leaves the link.
 *
 * They are bound to the address of the group, so packets to this host alone never get here. IPv6
 * sockets are bound to the interface; packets of IPv4 come from every interface whose group
 * somebody on this machine has joined, so the sender has to be of the link's networks. The port is
 * shared with other programs, such as avahi: each gets a copy of what the group is told.
 *
 * Source: RFC 6762 sections 3, 11 and 15.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { onLink, type Link } from "./links.ts";
import { MDNS_PORT, type Family, type Outgoing, type Sender } from "./outgoing.ts";

const GROUP: Readonly<Record<Family, string>> = { 4: "224.0.0.251", 6: "ff02::fb" };
/** Section 11: "All Multicast DNS responses […] SHOULD be sent with IP TTL set to 255." */
const HOPS = 255;
/** Packets that the kernel does not take yet; more are dropped, as the network would. */
const MAX_QUEUED_BYTES = 256 * 1024;
/** A farewell that cannot be sent is left off. */
const FAREWELL_MS = 500;

interface Way {
  readonly family: Family;
  readonly socket: Socket;
}

export class LinkSockets {
  readonly #link: Link;
  readonly #ways: Way[] = [];

  private constructor(link: Link) {
    this.#link = link;
  }

  /**
   * @param receive - Gets each packet of somebody on the link.
   * @throws Error when the link cannot be spoken on at all; nothing is left open.
   */
  static async open(
    link: Link,
    receive: (bytes: Uint8Array, from: Sender) => void,
  ): Promise<LinkSockets> {
    const sockets = new LinkSockets(link);
    const families: Family[] = [
      ...(link.addresses.length > 0 ? ([4] as const) : []),
      ...(link.six ? ([6] as const) : []),
    ];
    try {
      for (const family of families) await sockets.#join(family, receive);
    } catch (error) {
      await sockets.close([]);
      throw error;
    }
    return sockets;
  }

  async #join(family: Family, receive: (bytes: Uint8Array, from: Sender) => void): Promise<void> {
    const { name, addresses } = this.#link;
    const socket = createSocket({
      ...(family === 4 ? { type: "udp4" } : { type: "udp6", ipv6Only: true }),
      reuseAddr: true,
    });
    this.#ways.push({ family, socket });
    const group = GROUP[family];
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      const address = family === 4 ? group : `${group}%${name}`;
      socket.bind({ port: MDNS_PORT, address, exclusive: true }, resolve);
    });
    const interfaces = family === 4 ? addresses : [`::%${name}`];
    socket.setMulticastInterface(interfaces[0] ?? "");
    socket.addMembership(group, interfaces[0]);
    socket.setMulticastTTL(HOPS);
    socket.setTTL(HOPS);
    // Others on this machine look for services, too.
    socket.setMulticastLoopback(true);
    socket.removeAllListeners("error");
    // A link that goes down is noticed by whoever looks at the interfaces.
    socket.on("error", () => {});
    const isHere = onLink(this.#link);
    socket.on("message", (bytes: Uint8Array, from: RemoteInfo) => {
      if (from.port === 0 || !isHere(from.address)) return;
      receive(bytes, { family, address: from.address, port: from.port });
    });
  }

  send(packets: readonly Outgoing[]): void {
    for (const packet of packets) {
      for (const { socket, port, address } of this.#targets(packet)) {
        if (socket.getSendQueueSize() > MAX_QUEUED_BYTES) continue;
        // What cannot be sent is lost, as on any network.
        socket.send(packet.bytes, port, address, () => {});
      }
    }
  }

  #targets({ to }: Outgoing): readonly { socket: Socket; port: number; address: string }[] {
    return this.#ways.flatMap(({ family, socket }) => {
      if (
        to !== "group" &&
        (("group" in to && to.group) || ("family" in to && to.family)) !== family
      )
        return [];
      if (to !== "group" && "address" in to) return { socket, port: to.port, address: to.address };
      const address = family === 4 ? GROUP[4] : `${GROUP[6]}%${this.#link.name}`;
      return { socket, port: MDNS_PORT, address };
    });
  }

  /** @param farewell - Sent before. */
  async close(farewell: readonly Outgoing[]): Promise<void> {
    const sends = farewell.flatMap((packet) =>
      this.#targets(packet).map(
        ({ socket, port, address }) =>
          new Promise<void>((resolve) => socket.send(packet.bytes, port, address, () => resolve())),
      ),
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FAREWELL_MS)));
    await Promise.race([Promise.all(sends), late]);
    clearTimeout(timer);
    await Promise.all(
      this.#ways.map(({ socket }) => new Promise<void>((resolve) => socket.close(resolve))),
    );
  }
}
