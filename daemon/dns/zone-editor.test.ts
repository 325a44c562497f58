import { deepEqual, equal, rejects } from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { siteIdOf, StaticSource } from "../../test-mesh/dns/static-source.ts";
import type { Zone } from "../core/zones/zone.ts";
import { buildZones } from "../core/zones/zone-build.ts";
import { ZoneEditor, type RecordEdit } from "./zone-editor.ts";
import { exportZone, listZone } from "./zone-report.ts";

let source: StaticSource;
let editor: ZoneEditor;
let writes = 0;

function served(): readonly Zone[] {
  return buildZones({
    view: source.view(),
    ownSite: source.siteId,
    sites: [],
    serialOffset: source.logHeads()[0]?.seq ?? 0,
    othersHash: () => 0,
  });
}

function listed(): string[] {
  const port = { ownSite: siteIdOf("quimper"), siteName: () => "quimper", confirmedBy: () => [] };
  return served()
    .flatMap((zone) => listZone(zone, port))
    .filter(({ type }) => type !== "SOA")
    .map(({ name, ttl, type, data }) => `${name} ${ttl} ${type} ${data}`);
}

const edit = (
  action: RecordEdit["action"],
  name: string,
  type: string | undefined,
  data: readonly string[],
  ttl?: number,
) => editor.edit({ action, name, type, data, ttl });

beforeEach(async () => {
  source = new StaticSource(["quimper"]);
  writes = 0;
  editor = new ZoneEditor({
    view: () => source.view(),
    writer: {
      write: (changes) => {
        writes += 1;
        return source.write(changes);
      },
    },
    served,
    reload: () => {},
  });
  await editor.addZone("Mesh.example.", "web.master@mesh.example", 40);
});

describe("editing zones", () => {
  it("starts a zone with its mailbox and base", () => {
    const [zone] = served();
    const [, soa] = exportZone(zone as Zone, "public").split("\n");
    equal(soa, "@\t3600\tIN\tSOA\t. web\\046master.mesh.example. 41 3600 300 1209600 60");
  });

  it("adds, sets and removes", async () => {
    await edit("add", "www.mesh.example", "A", ["192.0.2.1"]);
    await edit("add", "WWW.mesh.example.", "a", ["192.0.2.2"]);
    deepEqual(listed(), ["www 300 A 192.0.2.1", "www 300 A 192.0.2.2"]);
    await edit("set", "www.mesh.example", "A", ["192.0.2.2", "192.0.2.3"], 60);
    deepEqual(listed(), ["www 60 A 192.0.2.2", "www 60 A 192.0.2.3"]);
    await edit("add", "www.mesh.example", "A", ["192.0.2.4"]);
    deepEqual(listed().at(-1), "www 60 A 192.0.2.4");
    const removed = await edit("remove", "www.mesh.example", "A", ["192.0.2.2"]);
    deepEqual([removed.written, removed.removed], [0, 1]);
    await edit("add", "www.mesh.example", "TXT", ["hello; world"]);
    await edit("remove", "www.mesh.example", undefined, []);
    deepEqual(listed(), []);
  });

  it("gives all records of a set a TTL that is named", async () => {
    await edit("add", "www.mesh.example", "A", ["192.0.2.1"]);
    await edit("add", "www.mesh.example", "A", ["192.0.2.2"], 30);
    deepEqual(listed(), ["www 30 A 192.0.2.1", "www 30 A 192.0.2.2"]);
  });

  it("writes nothing when everything is so already", async () => {
    await edit("set", "www.mesh.example", "A", ["192.0.2.1"]);
    const before = writes;
    const again = await edit("set", "www.mesh.example", "A", ["192.0.2.1"]);
    deepEqual([writes - before, again.written, again.removed], [0, 0, 0]);
  });

  it("writes all of a request or nothing", async () => {
    const before = writes;
    await rejects(edit("add", "www.mesh.example", "A", ["192.0.2.1", "192.0.2.300"]), {
      code: "E-DNS-VALUE",
      message: '"192.0.2.300" is not an IPv4 address (300 is above 255).',
    });
    equal(writes, before);
    deepEqual(listed(), []);
  });

  it("refuses names that no zone holds, and says which zones there are", async () => {
    await rejects(edit("add", "www.other.example", "A", ["192.0.2.1"]), {
      code: "E-DNS-ZONE",
      message: 'No zone of this mesh holds "www.other.example". Zones: mesh.example.',
    });
  });

  it("refuses a CNAME beside data, and data beside a CNAME", async () => {
    await edit("add", "www.mesh.example", "A", ["192.0.2.1"]);
    await rejects(edit("set", "www.mesh.example", "CNAME", ["a"]), { code: "E-DNS-CONFLICT" });
    await edit("add", "alias.mesh.example", "CNAME", ["www"]);
    await rejects(edit("add", "alias.mesh.example", "A", ["192.0.2.1"]), {
      code: "E-DNS-CONFLICT",
    });
    await rejects(edit("add", "alias.mesh.example", "CNAME", ["b"]), { code: "E-DNS-CONFLICT" });
    await edit("set", "alias.mesh.example", "CNAME", ["b"]);
    deepEqual(listed()[0], "alias 300 CNAME b.mesh.example.");
  });

  it("refuses to remove what is not there, and the SOA record", async () => {
    await rejects(edit("remove", "www.mesh.example", "A", []), { code: "E-DNS-RECORD" });
    await edit("add", "www.mesh.example", "A", ["192.0.2.1"]);
    await rejects(edit("remove", "www.mesh.example", "A", ["192.0.2.1", "192.0.2.9"]), {
      message: "www.mesh.example. has no A record 192.0.2.9.",
    });
    await rejects(edit("remove", "mesh.example", "SOA", []), { code: "E-DNS-CONFLICT" });
    deepEqual(listed(), ["www 300 A 192.0.2.1"]);
  });

  it("refuses zones twice, the root, and names of multicast DNS", async () => {
    await rejects(editor.addZone("mesh.example", undefined, 0), { code: "E-DNS-ZONE" });
    await rejects(editor.addZone(".", undefined, 0), { code: "E-DNS-ZONE" });
    await rejects(editor.addZone("home.local", undefined, 0), { code: "E-DNS-ZONE" });
    await rejects(editor.addZone("a..b", undefined, 0), { code: "E-DNS-NAME" });
    await rejects(editor.addZone("b.example", "nobody", 0), { code: "E-DNS-RECORD" });
  });

  it("keeps a zone within a zone apart", async () => {
    await editor.addZone("sub.mesh.example", undefined, 0);
    await edit("add", "www.sub.mesh.example", "A", ["192.0.2.1"]);
    equal(served().length, 2);
    await editor.removeZone("sub.mesh.example");
    equal(served().length, 1);
    deepEqual(listed(), []);
    await rejects(editor.removeZone("sub.mesh.example"), { code: "E-DNS-ZONE" });
  });
});
