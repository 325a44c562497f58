/**
 * certbot, as people run it, gets certificates through any node: it writes the challenges by dynamic
 * update and waits for nothing, and the authority looks for them at all nodes at once.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { withMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";
import { startAcmeServer } from "./acme-server.ts";

const ZONE = "bzh.example";
const WITHIN_MS = 60_000;

/** Gets one certificate for names, and answers with it. */
async function certbot(
  site: TestSite,
  directory: string,
  { url, secret, names }: { url: string; secret: string; names: readonly string[] },
): Promise<X509Certificate> {
  const credentials = join(directory, "credentials.ini");
  const lines = [
    `dns_rfc2136_server = ${site.address}`,
    `dns_rfc2136_port = ${site.dnsPort}`,
    "dns_rfc2136_name = certbot.",
    `dns_rfc2136_secret = ${secret}`,
    "dns_rfc2136_algorithm = HMAC-SHA256",
  ];
  await writeFile(credentials, `${lines.join("\n")}\n`, { mode: 0o600 });
  const folders = ["config", "work", "logs"].flatMap((name) => [
    `--${name}-dir`,
    join(directory, name),
  ]);
  const done = await runProcess("certbot", [
    ...["certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email"],
    ...["--server", url, "--no-verify-ssl", ...folders, "--cert-name", site.name],
    ...["--dns-rfc2136", "--dns-rfc2136-credentials", credentials],
    ...["--dns-rfc2136-propagation-seconds", "0"],
    ...names.flatMap((name) => ["-d", name]),
  ]);
  assert.equal(done.exit, 0, `${done.stdout}${done.stderr}`);
  return new X509Certificate(
    await readFile(join(directory, "config/live", site.name, "fullchain.pem")),
  );
}

async function challengesAt({ address, dnsPort }: TestSite, name: string): Promise<string> {
  const where = [`@${address}`, "-p", String(dnsPort), "+tries=1", "+timeout=3"];
  const { stdout } = await runProcess("dig", [...where, `_acme-challenge.${name}`, "TXT"]);
  return /status: (\w+)/.exec(stdout)?.[1] ?? stdout;
}

test("certbot gets certificates through each node", (t) =>
  withMesh(async (mesh) => {
    const sites = await mesh.form(["quimper", "brest"], { dht: false });
    const [quimper, brest] = sites;
    assert.ok(quimper && brest);
    for (const site of sites) await site.pleach("wait", "--for", "mesh", "--timeout", "120s");
    await quimper.pleach("dns", "add-zone", ZONE);
    await quimper.pleach("dns", "set", `www.${ZONE}`, "A", "192.0.2.1");
    const keyFile = join(mesh.directory, "certbot.key");
    const rights = ["--update", `_acme-challenge.**.${ZONE}:TXT`, "--out", keyFile];
    await quimper.pleach("dns", "keys", "add", "certbot", ...rights);
    await waitFor("the key at brest", WITHIN_MS, async () => {
      const { keys } = (await brest.pleach("dns", "keys", "list")) as {
        keys: { usable: boolean }[];
      };
      return keys[0]?.usable === true;
    });
    const secret = /secret "([^"]+)"/.exec(await readFile(keyFile, "utf8"))?.[1] ?? "";
    const nameServers = sites.map(({ address, dnsPort }) => ({ address, port: dnsPort }));
    const acme = await startAcmeServer(mesh.directory, nameServers);
    t.after(() => acme.stop());

    for (const [site, names] of [
      // Two values at one name: those of the zone itself and of its wildcard.
      [quimper, [ZONE, `*.${ZONE}`]],
      [brest, [`www.${ZONE}`, `deep.www.${ZONE}`]],
    ] as const) {
      const directory = join(mesh.directory, `certbot-${site.name}`);
      await mkdir(directory);
      const asked = acme.asked.length;
      const certificate = await certbot(site, directory, { url: acme.url, secret, names });
      const alternatives = certificate.subjectAltName?.split(", ").toSorted();
      assert.deepEqual(alternatives, names.map((name) => `DNS:${name}`).toSorted());
      const answers = acme.asked.slice(asked);
      assert.ok(answers.length >= names.length, "the authority has looked");
      for (const each of answers) assert.ok(Math.min(...each) > 0, `all had it: ${each.join()}`);
      for (const node of sites) {
        for (const name of names) {
          const left = await challengesAt(node, name.replace("*.", ""));
          assert.equal(left, "NXDOMAIN", `${name} at ${node.name} after ${site.name}`);
        }
      }
    }
  }));
