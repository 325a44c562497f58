import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatIpPrefix } from "../../protocol/ip-prefix.ts";
import type { Config } from "./config.ts";
import { ConfigError } from "./error.ts";
import { loadConfig } from "./load.ts";

/** Loads `pleach.toml` of these files. */
async function load(files: Readonly<Record<string, string>>): Promise<Config> {
  const directory = await mkdtemp(join(tmpdir(), "pl-config-"));
  try {
    await mkdir(join(directory, "conf.d"));
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    return loadConfig(join(directory, "pleach.toml"));
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The message of the refusal, without the directory, and its hint. */
async function refusal(text: string, more: Readonly<Record<string, string>> = {}) {
  const error: unknown = await load({ "pleach.toml": text, ...more }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConfigError, "was not refused");
  assert.equal(error.exit, 2);
  return { code: error.code, message: error.message.replace(/\/\S*\//g, ""), hint: error.hint };
}

test("an empty file is the defaults", async () => {
  const config = await load({ "pleach.toml": "" });
  assert.equal(config.data, "/var/lib/pleach");
  assert.equal(config.mesh.dht, true);
  assert.equal(config.give.spaceBytes, 0);
  assert.deepEqual(config.dns.listen, []);
});

test("sizes, times and addresses are read, files of conf.d are joined", async () => {
  const config = await load({
    "pleach.toml": 'site = "quimper"\n[give]\nspace = "1.5 GiB"\n[dns]\nlisten = ["[::1]:53"]',
    "conf.d/b.toml": '[[backup]]\nname = "mail"\npaths = ["/srv/mail"]\nevery = "6h"',
    "conf.d/a.toml": '[[service]]\nname = "agenda"\naddress = "192.0.2.14"',
    "conf.d/c.toml.off": "nonsense",
  });
  assert.equal(config.give.spaceBytes, 1.5 * 2 ** 30);
  assert.deepEqual(config.dns.listen, [{ address: "::1", port: 53 }]);
  assert.equal(config.backups[0]?.everyMs, 6 * 3_600_000);
  assert.deepEqual(config.services[0]?.addresses, ["192.0.2.14"]);
});

test("a data set is paths, the output of a program or standard input", async () => {
  const { backups } = await load({
    "pleach.toml": [
      '[[backup]]\nname = "files"\npaths = ["/srv"]\nlimit = "10 min"',
      '[[backup]]\nname = "dump"\ncommand = ["/usr/bin/pg_dump", "-Fc", "wiki"]\nfile = "wiki.dump"',
      '[[backup]]\nname = "given"\nstdin = true',
    ].join("\n"),
  });
  assert.deepEqual(
    backups.map(({ paths, stream, limitMs }) => ({ paths, stream, limitMs })),
    [
      { paths: ["/srv"], stream: undefined, limitMs: 600_000 },
      {
        paths: [],
        stream: { command: ["/usr/bin/pg_dump", "-Fc", "wiki"], file: "wiki.dump" },
        limitMs: 6 * 3_600_000,
      },
      { paths: [], stream: { command: undefined, file: "given" }, limitMs: 6 * 3_600_000 },
    ],
  );
});

test("an unknown key is named with its line and the nearest name", async () => {
  assert.deepEqual(await refusal('site = "a"\n\n[give]\n# room\nspcae = "1 GiB"\n'), {
    code: "E-CONFIG-KEY",
    message: 'pleach.toml:5: unknown key "spcae" in [give].',
    hint: 'Did you mean "space"?',
  });
});

test("the line is right inside lists of tables and after values of many lines", async () => {
  const text = [
    "[[backup]]",
    'name = "a"',
    "paths = [",
    '  "/srv/a",',
    "]",
    "[[backup]]",
    'name = "b"',
    'paths = ["/srv/b"]',
    'evry = "24h"',
  ].join("\n");
  const { message, hint } = await refusal(text);
  assert.equal(message, 'pleach.toml:9: unknown key "evry" in [[backup]].');
  assert.equal(hint, 'Did you mean "every"?');
});

test("a name near to none gives the known ones", async () => {
  const { hint } = await refusal("[log]\nverbosity = 3");
  assert.equal(hint, "Known here: level.");
});

test("wrong values say what they should be", async () => {
  const cases: readonly (readonly [string, string])[] = [
    ['[give]\nspace = "lots"', 'pleach.toml:2: give.space must be a size such as "500 GiB".'],
    ["[give]\nspace = 5", 'pleach.toml:2: give.space must be a size such as "500 GiB".'],
    ['data = "relative"', "pleach.toml:1: data must be an absolute path."],
    [
      '[dns]\nlisten = ["localhost:53"]',
      "pleach.toml:2: dns.listen must begin with an IP address.",
    ],
    [
      '[dns]\nlisten = ["127.0.0.1:70000"]',
      'pleach.toml:2: dns.listen must be such as "0.0.0.0:7411" or "[::]:7411".',
    ],
    [
      '[[backup]]\nname = "a"',
      "pleach.toml:1: backup must have just one of paths, command and stdin = true.",
    ],
    [
      '[[backup]]\nname = "a"\nstdin = true\npaths = ["/srv"]',
      "pleach.toml:1: backup must have just one of paths, command and stdin = true.",
    ],
    [
      '[[backup]]\nname = "a"\npaths = ["/srv"]\nfile = "a.sql"',
      "pleach.toml:1: backup has file, which goes with command or stdin.",
    ],
    [
      '[[backup]]\nname = "a"\nstdin = true\nexclude = ["*.tmp"]',
      "pleach.toml:1: backup has exclude or one_file_system, which go with paths.",
    ],
    [
      '[[backup]]\nname = "a"\nstdin = true\nfile = "../a"',
      "pleach.toml:4: backup.file must be the name of a file.",
    ],
    [
      '[[backup]]\nname = "a"\ncommand = ["pg_dump", "a"]',
      "pleach.toml:3: backup.command must be an absolute path.",
    ],
    ['site = "Quimper"', "pleach.toml:1: site must be 1 to 63 of a-z, 0-9 and -."],
    ["[mesh]\ndht = 1", "pleach.toml:2: mesh.dht is not right: expected boolean, received number."],
  ];
  for (const [text, message] of cases) assert.equal((await refusal(text)).message, message);
});

test("DNS has views by address and by network", async () => {
  const text = `
    [dns]
    listen = ["192.0.2.1:53", { address = "192.168.1.2:53", view = "lan" }]
    [dns.views]
    lan = ["192.168.0.0/16", "fe80::/10"]
    mesh = ["::ffff:10.0.0.0/104"]
    [[dns.secondary]]
    address = "192.0.2.53:53"
    view = "mesh"`;
  const { dns } = await load({ "pleach.toml": text });
  assert.deepEqual(dns.listen, [
    { address: "192.0.2.1", port: 53 },
    { address: "192.168.1.2", port: 53, view: "lan" },
  ]);
  assert.deepEqual(
    dns.views.map(({ prefix, view }) => [formatIpPrefix(prefix), view]),
    [
      ["10.0.0.0/8", "mesh"],
      ["192.168.0.0/16", "lan"],
      ["fe80::/10", "lan"],
    ],
  );
  assert.equal(dns.secondaries[0]?.view, "mesh");
});

test("wrong views are told with their line, and the nearest name", async () => {
  const cases: readonly (readonly [string, string, string?])[] = [
    [
      '[dns]\nlisten = [\n"127.0.0.1:53",\n5]',
      'pleach.toml:2: dns.listen must be such as "192.0.2.14:53" or { address = "192.168.1.2:53", view = "lan" }.',
    ],
    [
      '[dns]\nlisten = [{ address = "127.0.0.1", view = "lan" }]',
      'pleach.toml:2: dns.listen.address must be such as "0.0.0.0:7411" or "[::]:7411".',
    ],
    [
      '[dns]\nlisten = [{ address = "127.0.0.1:53", view = "home" }]',
      "pleach.toml:2: dns.listen.view must be one of public, mesh, lan.",
    ],
    [
      '[dns]\nlisten = [{ address = "127.0.0.1:53", view = "lan", vew = 1 }]',
      'pleach.toml:2: unknown key "vew" in [[dns.listen]].',
      'Did you mean "view"?',
    ],
    [
      "[dns.views]\nlna = []",
      'pleach.toml:2: unknown key "lna" in [dns.views].',
      'Did you mean "lan"?',
    ],
    [
      '[dns.views]\nlan = ["192.168.1.5/24"]',
      'pleach.toml:2: dns.views.lan must be a network such as "192.168.0.0/16"; in "192.168.1.5/24", the network of 24 bits is 192.168.1.0/24.',
    ],
    [
      '[dns.views]\nlan = ["10.0.0.0/8"]\nmesh = ["fd00::/8", "::ffff:10.0.0.0/104"]',
      "pleach.toml:2: dns.views.lan has 10.0.0.0/8, which stands there twice; a network has one view.",
    ],
  ];
  for (const [text, message, hint] of cases) {
    const found = await refusal(text);
    assert.equal(found.message, message);
    assert.equal(found.hint, hint);
  }
});

test("text that is not TOML is told with its line", async () => {
  const { code, message } = await refusal('site = "a"\nsite = \n');
  assert.equal(code, "E-CONFIG-TOML");
  assert.match(message, /^pleach\.toml:2: is not TOML: /);
});

test("one key in two files, and one name for two sets, are refused", async () => {
  const first = await refusal('site = "a"', { "conf.d/x.toml": 'site = "b"' });
  assert.equal(first.code, "E-CONFIG-TWICE");
  const set = '[[backup]]\nname = "a"\npaths = ["/srv"]\n';
  assert.equal((await refusal(set + set)).code, "E-CONFIG-TWICE");
});

test("a file that is not there is told as such", () => {
  assert.throws(() => loadConfig("/nowhere/pleach.toml"), {
    code: "E-CONFIG-FILE",
    message: "The configuration /nowhere/pleach.toml is not there.",
  });
});

test("lines have rates, hours and interfaces", async () => {
  const text = `
    [[uplink]]
    name = "adsl"
    upload = "1 Mbit/s"
    download = "1.5 MB/s"
    hours = "22:00-07:00"
    outside = "64 kbit/s"
    [[uplink]]
    name = "4g"
    interface = "wwan0"
    metered = true`;
  const { uplinks } = await load({ "pleach.toml": text });
  assert.deepEqual(uplinks, [
    {
      ...{ name: "adsl", interface: undefined, upload: 125_000, download: 1_500_000 },
      ...{ hours: { from: 1320, to: 420 }, outside: 8000, metered: false },
    },
    {
      ...{ name: "4g", interface: "wwan0", upload: undefined, download: undefined },
      ...{ hours: undefined, outside: undefined, metered: true },
    },
  ]);
});

test("a line that cannot be meant is refused with its line", async () => {
  const cases: [string, RegExp][] = [
    ['name = "a"\nupload = "1 Mbit"', /^pleach.toml:3: uplink.upload must be a rate such as/],
    ['name = "a"\nupload = "1 kbit/s"', /must be 32 kbit\/s or more/],
    ['name = "a"\nhours = "22-7"', /^pleach.toml:3: uplink.hours must be hours such as/],
    ['name = "a"\nhours = "22:00-22:00"', /must be hours such as "22:00-07:00"/],
    ['name = "a"\nhours = "24:00-07:00"', /must be hours/],
    ['name = "a"\nhours = "07:60-08:00"', /must be hours/],
    ['name = "a"\noutside = "64 kbit/s"', /has outside, the rate at other hours, and no hours/],
    ['name = "a"\n[[uplink]]\nname = "b"', /uplink without interface is set twice/],
    ['name = "a"\n[[uplink]]\nname = "a"\ninterface = "eth1"', /uplink "a" is set twice/],
  ];
  for (const [text, wanted] of cases) {
    assert.match((await refusal(`[[uplink]]\n${text}`)).message, wanted);
  }
});

test("an offer may be for some, with terms of their own; copies may be bound to places", async () => {
  const { give, backups } = await load({
    "pleach.toml": [
      '[give]\nspace = "10 GiB"\nto = ["farm", "mill"]\ncap = "2 GiB"',
      '[[give.owner]]\nname = "mill"\ncap = "5 GiB"\ndaily = "1 GiB"',
      '[[backup]]\nname = "web"\npaths = ["/srv"]\ncopies = 2\ncountries = ["FR"]',
      'not_countries = ["US"]\nholders = ["brest"]\nlocal = "drop"',
    ].join("\n"),
  });
  assert.deepEqual(give.to, ["farm", "mill"]);
  assert.equal(give.capBytes, 2 * 2 ** 30);
  assert.deepEqual(give.owners, [{ name: "mill", capBytes: 5 * 2 ** 30, dailyBytes: 2 ** 30 }]);
  assert.equal(backups[0]?.copies, 2);
  const rules = { allow: ["FR"], deny: ["US"], holders: ["brest"], local: "drop" };
  assert.deepEqual(backups[0].rules, rules);
  const set = '[[backup]]\nname = "web"\npaths = ["/srv"]\n';
  assert.match((await refusal(`${set}countries = ["UK"]`)).message, /must be a country/);
  assert.match((await refusal(`${set}copies = 17`)).message, /copies/);
  assert.match((await refusal(`${set}holders = ["Brest!"]`)).message, /must name a site/);
});
