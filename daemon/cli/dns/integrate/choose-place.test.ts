import { deepEqual, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { choosePlace, type DnsPlace } from "./choose-place.ts";
import { ASKERS } from "./recipes.ts";

const at = (address: string, port = 53): DnsPlace => ({ address, port });
const { resolved, openwrt, router } = ASKERS;

describe("the address that others ask", () => {
  it("is one of the LAN before a public one, and the loopback last", () => {
    const all = [at("127.0.0.1", 5300), at("203.0.113.7"), at("192.168.1.2", 5300)];
    deepEqual(choosePlace(resolved, all, []), at("192.168.1.2", 5300));
    deepEqual(choosePlace(resolved, all.slice(0, 2), []), at("203.0.113.7"));
    deepEqual(choosePlace(resolved, all.slice(0, 1), []), at("127.0.0.1", 5300));
    deepEqual(choosePlace(resolved, [at("2001:db8::1"), at("fd00::1")], []), at("fd00::1"));
  });

  it("is never a wildcard: addresses of the machine take its place", () => {
    const machine = ["203.0.113.7", "10.0.0.5", "fe80::1"];
    deepEqual(choosePlace(router, [at("0.0.0.0")], machine), at("10.0.0.5"));
    deepEqual(choosePlace(resolved, [at("::")], machine), at("::1"));
    deepEqual(choosePlace(resolved, [at("0.0.0.0", 5300)], []), at("127.0.0.1", 5300));
  });

  it("has port 53 where none can be told", () => {
    const two = [at("192.168.1.2", 5300), at("203.0.113.7")];
    deepEqual(choosePlace(router, two, []), at("203.0.113.7"));
    throws(() => choosePlace(router, two.slice(0, 1), []), {
      code: "E-DNS-INTEGRATE",
      message: "A router asks port 53 and no other; this node answers at 192.168.1.2:5300.",
      hint: /listen = \["192\.168\.1\.2:53"\]/,
    });
  });

  it("is refused, with what to configure, where nobody could be sent to", () => {
    const refused = (message: RegExp, ...places: DnsPlace[]): void =>
      throws(() => choosePlace(openwrt, places, []), {
        code: "E-DNS-INTEGRATE",
        message,
        hint: /\[dns\] listen .* restart/,
      });
    refused(/answers DNS nowhere/);
    refused(
      /cannot reach this node: it answers DNS at 127\.0\.0\.1:5300 only/,
      at("127.0.0.1", 5300),
    );
    refused(/systemd-resolved's own, which would ask itself/, at("127.0.0.53"));
    refused(/\[fe80::1\]:53 only/, at("fe80::1"));
  });

  it("is the one that a person names, if the node answers there", () => {
    const two = [at("192.168.1.2"), at("10.0.0.2", 5300), at("10.0.0.2")];
    deepEqual(choosePlace(resolved, two, [], "10.0.0.2"), at("10.0.0.2", 5300));
    deepEqual(choosePlace(router, two, [], "10.0.0.2"), at("10.0.0.2"));
    throws(() => choosePlace(resolved, two, [], "192.168.1.3"), {
      message: "This node does not answer DNS at 192.168.1.3.",
      hint: "It does at 192.168.1.2:53, 10.0.0.2:5300, 10.0.0.2:53.",
    });
    throws(() => choosePlace(router, [at("10.0.0.2", 5300)], [], "10.0.0.2"), /port 53/);
    throws(() => choosePlace(resolved, [at("127.0.0.53")], [], "127.0.0.53"), /ask itself/);
  });
});
