import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Config } from "./config.ts";
import { ConfigError } from "./error.ts";
import { loadConfig } from "./load.ts";
import { parseUpstream } from "./upstream.ts";

async function load(text: string): Promise<Config> {
  const folder = await mkdtemp(join(tmpdir(), "pl-config-"));
  try {
    const file = join(folder, "pleach.toml");
    await writeFile(file, text);
    return loadConfig(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function refusal(text: string): Promise<string> {
  const error = await load(text).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConfigError, "the configuration was taken");
  return error.message.replace(/^.*\/pl-config-[^/]*\//, "");
}

const LAN = '[dns]\nlisten = ["192.168.1.2:53"]\n[dns.views]\nlan = ["192.168.1.0/24"]\n';

test("upstreams are written with what is needed of them", () => {
  const tls = { kind: "tls", port: 853, name: "dns.quad9.net" };
  const plain = { kind: "plain", port: 53, name: undefined };
  assert.deepEqual(parseUpstream("tls://9.9.9.9#dns.quad9.net"), { ...tls, address: "9.9.9.9" });
  assert.deepEqual(parseUpstream("tls://[2620:fe::fe]:8853#dns.quad9.net"), {
    ...{ ...tls, address: "2620:fe::fe", port: 8853 },
  });
  assert.deepEqual(parseUpstream("2620:fe::fe"), { ...plain, address: "2620:fe::fe" });
  assert.deepEqual(parseUpstream("192.168.1.1:5353"), {
    ...{ ...plain, address: "192.168.1.1", port: 5353 },
  });
});

test("what names no upstream is told why", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["tls://9.9.9.9", /the name in its certificate is missing behind #/],
    ["9.9.9.9#dns.quad9.net", /a name is checked over TLS only; write tls:\/\/9/],
    ["https://dns.quad9.net/dns-query", /https is not spoken here; tls is/],
    ["dns.quad9.net", /"dns.quad9.net" is not an IP address/],
    ["tls://dns.quad9.net#dns.quad9.net", /"dns.quad9.net" is not an IP address/],
    ["9.9.9.9:70000", /70000 is not a port/],
    ["tls://9.9.9.9#a b", /"a b" is not the name of a host/],
    ["tls://9.9.9.9#a#b", /"#" stands twice/],
    ["[9.9.9.9]:53", /is not an IP address/],
    ["", /"" is not an IP address/],
  ];
  for (const [text, reason] of cases) {
    const found = parseUpstream(text);
    assert.ok("reason" in found, text);
    assert.match(found.reason, reason);
  }
});

test("nothing is forwarded unless it is said, and then with sensible bounds", async () => {
  assert.equal((await load(LAN)).dns.forward, undefined);
  const { forward } = (
    await load(`${LAN}
    [dns.forward]
    upstreams = ["tls://9.9.9.9#dns.quad9.net", "192.168.1.1"]
    allow_private = ["plex.direct"]
    [[dns.forward.zone]]
    name = "fritz.box"
    upstreams = ["192.168.1.1"]`)
  ).dns;
  assert.equal(forward?.upstreams.length, 2);
  assert.deepEqual(forward?.allowPrivate, ["plex.direct"]);
  assert.equal(forward?.zones[0]?.upstreams[0]?.address, "192.168.1.1");
  assert.deepEqual([forward?.cacheBytes, forward?.staleMs], [32 * 2 ** 20, 86_400_000]);
});

test("a forwarder that cannot be is refused with the reason", async () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      '[dns]\nlisten = ["192.168.1.2:53"]\n[dns.forward]\nupstreams = ["192.168.1.1"]',
      "dns.forward serves the view lan only, and no network or address has that view.",
    ],
    [
      `${LAN}[dns.forward]\nupstreams = []`,
      "pleach.toml:6: dns.forward.upstreams must name one server or more.",
    ],
    [
      `${LAN}[dns.forward]\nupstreams = ["tls://9.9.9.9"]`,
      'pleach.toml:6: dns.forward.upstreams must be such as "tls://9.9.9.9#dns.quad9.net" or "192.168.1.1"; in "tls://9.9.9.9", the name in its certificate is missing behind #.',
    ],
    [
      `${LAN}[dns.forward]\nupstreams = ["192.168.1.2"]`,
      "dns.forward has the upstream 192.168.1.2, where this server itself listens.",
    ],
    [
      `${LAN}[dns.forward]\nupstreams = ["192.168.1.1"]\nstale = "9 days"`,
      "pleach.toml:7: dns.forward.stale must be 3 days or less.",
    ],
    [
      `${LAN}[dns.forward]\nupstreams = ["192.168.1.1"]\n[[dns.forward.zone]]\nname = "box.local"\nupstreams = ["192.168.1.1"]`,
      "pleach.toml:8: dns.forward.zone.name must not be local, whose names are asked for by multicast only (RFC 6762).",
    ],
  ];
  for (const [text, message] of cases) assert.equal(await refusal(text), message);
});
