"""A client of multicast DNS that is not ours: python-zeroconf of Debian, driven by words.

browse TYPE                 prints a line of JSON for each service that comes or goes
claim NAME TYPE ADDRESS     has the name on the link until its input ends; prints "held" first
ask NAME ADDRESS SECONDS    asks from a port of its own, as a resolver that knows DNS only, out of
                            the interface with the address; prints what comes back in that time
"""
import json
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


def ask(name, address, seconds):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    packet = struct.pack("!6H", 4711, 0, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    asking.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    asking.settimeout(float(seconds))
    asking.bind((address, 0))
    asking.sendto(packet, ("224.0.0.251", 5353))
    try:
        answer, extra, _, sender = asking.recvmsg(9000, 1024)
    except socket.timeout:
        return say(event="silence")
    ttl = next(struct.unpack("i", data)[0] for _, kind, data in extra if kind == socket.IP_TTL)
    say(event="answer", packet=answer.hex(), sender=list(sender), ttl=ttl)


{"browse": browse, "claim": claim, "ask": ask}[sys.argv[1]](*sys.argv[2:])
