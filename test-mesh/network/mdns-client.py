"""A client of multicast DNS that is not ours: python-zeroconf of Debian, driven by words.

browse TYPE                 prints a line of JSON for each service that comes or goes
claim NAME TYPE ADDRESS     has the name on the link until its input ends; prints "held" first
ask NAME FROM SECONDS       asks from a port of its own, as a resolver that knows DNS only: over IPv4
                            from an address, or over IPv6 out of an interface; prints what comes
                            back in that time
throw COUNT ADDRESS         throws so many broken packets at the group, from the port of the group
"""
import json
import random
import socket
import struct
import sys

from zeroconf import IPVersion, ServiceInfo, Zeroconf
from zeroconf import ServiceBrowser, ServiceListener

# linux/in.h; Python does not name it.
IP_RECVTTL = 12


def say(**words):
    print(json.dumps(words), flush=True)


class Listener(ServiceListener):
    def add_service(self, zc, kind, name):
        info = zc.get_service_info(kind, name, timeout=10000)
        if info is None:
            return say(event="lost", name=name)
        say(
            event="add",
            name=name,
            server=info.server,
            port=info.port,
            addresses=sorted(info.parsed_addresses()),
        )

    def update_service(self, zc, kind, name):
        self.add_service(zc, kind, name)

    def remove_service(self, zc, kind, name):
        say(event="remove", name=name)


def browse(kind):
    zc = Zeroconf(ip_version=IPVersion.All)
    ServiceBrowser(zc, kind, Listener())
    sys.stdin.read()
    zc.close()


def claim(name, kind, address):
    zc = Zeroconf(ip_version=IPVersion.V4Only)
    info = ServiceInfo(
        kind,
        f"{name}.{kind}",
        addresses=[socket.inet_aton(address)],
        port=443,
        server=f"{name}.local.",
    )
    zc.register_service(info)
    say(event="held")
    sys.stdin.read()
    zc.unregister_service(info)
    zc.close()


def asking_from(place):
    if "." in place:
        asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(place))
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        asking.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        asking.bind((place, 0))
        return asking, ("224.0.0.251", 5353)
    index = socket.if_nametoindex(place)
    asking = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    return asking, ("ff02::fb", 5353, 0, index)


def ask(name, place, seconds):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    packet = struct.pack("!6H", 4711, 0, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)
    asking, group = asking_from(place)
    asking.settimeout(float(seconds))
    asking.sendto(packet, group)
    try:
        answer, extra, _, sender = asking.recvmsg(9000, 1024)
    except socket.timeout:
        return say(event="silence")
    (ttl,) = struct.unpack("i", extra[0][2])
    say(event="answer", packet=answer.hex(), sender=list(sender[:2]), ttl=ttl)


def throw(count, address):
    chance = random.Random(5)
    thrower = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    thrower.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    thrower.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    thrower.bind((address, 5353))
    for _ in range(int(count)):
        head = struct.pack("!6H", 0, chance.choice([0, 0x8400]), *(chance.choice([0, 1, 65535]) for _ in range(4)))
        size = chance.choice([0, 5, 40, 1400, 8000])
        thrower.sendto(head + chance.randbytes(size), ("224.0.0.251", 5353))
    say(event="thrown")


{"browse": browse, "claim": claim, "ask": ask, "throw": throw}[sys.argv[1]](*sys.argv[2:])
