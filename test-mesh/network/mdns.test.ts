/**
 * Multicast DNS of a real daemon on a cable of its own, as a client of Debian and avahi see it.
 *
 * The tests are one story: each goes on where the one before it ended.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { decode } from "dns-packet";
import { TestMesh } from "../harness.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";
import { Namespaces } from "./namespaces.ts";

const CLIENT = join(import.meta.dirname, "mdns-client.py");
const WAIT_MS = 60_000;

interface Event {
  readonly event: "add" | "remove" | "lost" | "held" | "answer" | "silence" | "thrown";
  readonly name?: string;
  readonly server?: string;
  readonly port?: number;
  readonly addresses?: readonly string[];
  readonly packet?: string;
  readonly sender?: readonly [string, number];
  readonly ttl?: number;
}

describe("multicast DNS on a LAN", () => {
  const machines = new Namespaces();
  const children: ChildProcess[] = [];
  let mesh: TestMesh;
  let site: TestSite;

  before(async () => {
    for (const name of ["site", "client"]) machines.add(name);
    machines.cable("lan0", ["site", "192.168.77.2/24"], ["client", "192.168.77.3/24"]);
    machines.cable("other0", ["site", "192.168.99.2/24"], ["client", "192.168.99.3/24"]);
    mesh = await TestMesh.create();
    site = await mesh.site("quimper", {
      node: machines.nodeOf("site", mesh.directory),
      dnsLines: ['mdns = ["lan0"]'],
    });
    await site.start();
    await mesh.found(site);
  });
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await mesh.close();
    machines.remove();
  });

  /** Starts the client; what it says gathers in the list. */
  const client = (...words: readonly string[]): { events: Event[]; child: ChildProcess } => {
    const child = machines.spawn("client", "/usr/bin/python3", CLIENT, ...words);
    children.push(child);
    const events: Event[] = [];
    if (child.stdout === null) throw new Error("no output");
    createInterface(child.stdout).on("line", (line) => void events.push(JSON.parse(line) as Event));
    return { events, child };
  };
  const first = (events: readonly Event[], event: Event["event"], name = ""): Promise<Event> =>
    waitFor(`${event} ${name}`, WAIT_MS, () => {
      const found = events.find(
        (each) => each.event === event && (each.name ?? "").startsWith(name),
      );
      return Promise.resolve(found ?? false);
    });
  /** @param seconds - Long where an answer is expected, short where none is. */
  const ask = async (name: string, from: string, seconds: number): Promise<Event> => {
    const { events } = client("ask", name, from, String(seconds));
    return waitFor(`an answer for ${name}`, WAIT_MS, () => Promise.resolve(events[0] ?? false));
  };

  it("finds a service of the site, with its addresses on the LAN and its port", async () => {
    const lan = ["--lan-address", "192.168.77.14", "--lan-address", "10.7.0.14"];
    await site.pleach(
      "service",
      "add",
      "wiki",
      "--address",
      "192.0.2.14",
      ...lan,
      "--port",
      "https:443",
    );
    const { events } = client("browse", "_https._tcp.local.");
    const found = await first(events, "add", "wiki.");
    deepEqual(found, {
      event: "add",
      name: "wiki._https._tcp.local.",
      server: "wiki.local.",
      port: 443,
      addresses: ["192.168.77.14"],
    });
  });

  it("answers who knows DNS only, with 255 hops, and out of no other interface", async () => {
    const elsewhere = ask("wiki.local", "192.168.99.3", 1);
    const { packet = "", sender, ttl } = await ask("wiki.local", "192.168.77.3", 30);
    deepEqual([sender, ttl], [["192.168.77.2", 5353], 255]);
    const { id, answers } = decode(Buffer.from(packet, "hex"));
    const [answer] = answers ?? [];
    deepEqual([id, answer?.type, answer?.name], [4711, "A", "wiki.local"]);
    equal((await elsewhere).event, "silence");
    equal((await ask("other.local", "192.168.77.3", 1)).event, "silence");
  });

  it("answers over IPv6 as well, out of the same interface only", async () => {
    const elsewhere = ask("wiki.local", "other0", 1);
    const { packet = "", sender, ttl } = await ask("wiki.local", "lan0", 30);
    deepEqual([sender?.[1], ttl], [5353, 255]);
    match(sender?.[0] ?? "", /^fe80::/);
    equal(decode(Buffer.from(packet, "hex")).answers?.[0]?.name, "wiki.local");
    equal((await elsewhere).event, "silence");
  });

  it("goes on whatever is thrown at it", async () => {
    const { events } = client("throw", "2000", "192.168.77.3");
    await first(events, "thrown");
    // More than it reads in a second is dropped, a question among it, too.
    await waitFor("an answer", WAIT_MS, async () => {
      return (await ask("wiki.local", "192.168.77.3", 1)).event === "answer";
    });
    ok(site.running);
    ok(!/fault|error/i.test(await mesh.logs()));
  });

  it("gives way to a name that is there already, and adds its site", async () => {
    const other = client("claim", "blog", "_https._tcp.local.", "192.168.77.3");
    await first(other.events, "held");
    await site.pleach(
      "service",
      "add",
      "blog",
      "--lan-address",
      "192.168.77.15",
      "--port",
      "https:443",
    );
    const { events } = client("browse", "_https._tcp.local.");
    const ours = await first(events, "add", "blog-quimper.");
    deepEqual([ours.server, ours.addresses], ["blog-quimper.local.", ["192.168.77.15"]]);
    deepEqual((await first(events, "add", "blog.")).addresses, ["192.168.77.3"]);
    await waitFor("a line in the log", WAIT_MS, async () =>
      /blog\.local is taken on lan0: here it is blog-quimper\.local/.test(await mesh.logs()),
    );
  });

  it("lives beside avahi on one machine", async () => {
    const config = join(mesh.directory, "avahi.conf");
    await writeFile(config, "[server]\nhost-name=box\nenable-dbus=no\nallow-interfaces=lan0\n");
    // Its process id lies in a folder of its own, apart from an avahi of this machine.
    const folder = "mkdir -p /run/avahi-daemon && mount -t tmpfs tmpfs /run/avahi-daemon";
    const daemon = `avahi-daemon --no-drop-root --no-chroot --no-rlimits -f ${config}`;
    children.push(machines.spawn("site", "sh", "-c", `${folder} && exec ${daemon}`));
    await waitFor("avahi", WAIT_MS, async () => {
      return (await ask("box.local", "192.168.77.3", 1)).event === "answer";
    });
    equal((await ask("wiki.local", "192.168.77.3", 30)).event, "answer");
  });

  it("says goodbye for a service that is removed, and for all at its end", async () => {
    const { events } = client("browse", "_https._tcp.local.");
    for (const name of ["wiki.", "blog-quimper."]) await first(events, "add", name);
    await site.pleach("service", "remove", "blog");
    await first(events, "remove", "blog-quimper.");
    ok(!events.some(({ event, name }) => event === "remove" && name?.startsWith("wiki.")));
    equal(await site.stop(), 0);
    await first(events, "remove", "wiki.");
  });
});
