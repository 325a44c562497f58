/** A real daemon that passes questions of its LAN on, by what its configuration says. */
import { equal, match, ok } from "node:assert/strict";
import { test } from "node:test";
import { replyTo, startUpstream } from "../dns/upstream-server.ts";
import { withMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const WITHIN_MS = 60_000;

async function dig(site: TestSite, from: string, ...words: readonly string[]): Promise<string> {
  const place = [`@${site.address}`, "-p", String(site.dnsPort), "-b", from];
  const { stdout } = await runProcess("dig", [...place, "+tries=1", "+timeout=15", ...words]);
  return stdout;
}

test("the LAN of a daemon is answered about names of others, nobody else, and status tells how", () =>
  withMesh(async (mesh) => {
    const upstream = await startUpstream((received) => [
      replyTo(received, { answers: [`${received.name} 1 A 192.0.2.1`] }),
    ]);
    try {
      const [lan, stranger] = ["127.0.0.2", "127.0.0.3"];
      const [site] = await mesh.form(["quimper"], {
        dnsThreads: 1,
        toml: [
          ...["[dns.views]", `lan = ["${lan}/32"]`, "[dns.forward]"],
          `upstreams = ["127.0.0.1:${upstream.port}"]`,
        ].join("\n"),
      });
      ok(site);
      await site.pleach("dns", "add-zone", "bzh.example");
      await site.pleach("dns", "add", "www.bzh.example", "A", "192.0.2.14");

      const told = await dig(site, lan, "www.elsewhere.example");
      match(told, /status: NOERROR/);
      match(told, /flags: qr rd ra;/);
      match(told, /www\.elsewhere\.example\.\s+1\s+IN\s+A\s+192\.0\.2\.1/);
      match(await dig(site, stranger, "www.elsewhere.example"), /status: REFUSED/);
      equal(upstream.received.length, 1);

      const { forward } = (await site.pleach("dns", "upstreams")) as {
        forward: { questions: number; upstreams: readonly { reached: boolean }[] };
      };
      equal(forward.questions, 1);
      equal(forward.upstreams[0]?.reached, true);

      await upstream.stop();
      await waitFor("a stale answer", WITHIN_MS, async () =>
        (await dig(site, lan, "www.elsewhere.example")).includes("EDE: 3 (Stale Answer)"),
      );
      match(await dig(site, lan, "www.bzh.example"), /192\.0\.2\.14/);
      const area = await waitFor("the warning", WITHIN_MS, async () => {
        const status = (await site.pleach("status")) as {
          areas: readonly { name: string; state: string; text: string }[];
        };
        return status.areas.find(({ name, state }) => name === "Forwarding" && state === "WARNING");
      });
      match(area.text, /not reached for 0 min \(ECONNREFUSED\)/);
      ok(!(await mesh.logs()).includes("elsewhere"));
    } finally {
      await upstream.stop();
    }
  }));
