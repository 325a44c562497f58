import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { markKey, servicePolicyKey } from "../../protocol/dns/steering-record.ts";
import { hashId, type SiteId } from "../../protocol/ids.ts";
import { RecordView } from "../../test-mesh/fakes/record-view.ts";
import { ServiceMarks } from "./service-marks.ts";

const QUIMPER = hashId<SiteId>("quimper");
const BREST = hashId<SiteId>("brest");
const GONE = hashId<SiteId>("gone");

/** Quimper and Brest are members, Gone was one; the wiki runs at Brest, the agenda at both. */
function world(mayWrite: (key: string) => boolean = () => true) {
  const view = new RecordView();
  const written: string[] = [];
  const known = [
    { siteId: QUIMPER, name: "quimper", isMember: true },
    { siteId: BREST, name: "brest", isMember: true },
    { siteId: GONE, name: "gone", isMember: false },
  ];
  for (const [site, name] of [
    [BREST, "wiki"],
    [BREST, "agenda"],
    [QUIMPER, "agenda"],
    [GONE, "wiki"],
  ] as const) {
    const record = { name, addresses: ["192.0.2.1"], ports: [], maintainers: [] };
    view.put(site, "site", `service/${name}`, record);
  }
  const soa = { ttl: 60, data: ". h. 0 1 1 1 1", view: "public" };
  view.put(BREST, "zone", "mesh.example/@/SOA/only", soa);
  const served: string[] = [];
  const marks = new ServiceMarks({
    siteId: QUIMPER,
    view: () => view,
    site: (text) => known.find(({ siteId, name }) => name === text || siteId === text),
    siteNames: () => known.filter(({ isMember }) => isMember).map(({ name }) => name),
    mayWrite,
    write: async ({ class: recordClass, key, value }) => {
      written.push(key);
      view.put(QUIMPER, recordClass, key, value);
    },
    served: async () => {
      served.push(written.at(-1) ?? "");
    },
  });
  return { marks, view, written, served };
}

const fallback = (name: string) => ({ whenDown: "fallback", name }) as const;

describe("marks", () => {
  it("are written once, served before the command ends, and taken away by auto", async () => {
    const { marks, view, written, served } = world();
    const down = { service: "wiki", site: "brest", state: "down", text: "new disk" } as const;
    deepEqual(await marks.mark(down), {
      service: "wiki",
      site: "brest",
      state: "down",
      changed: true,
    });
    const key = markKey("wiki", BREST);
    deepEqual(view.get("policy", key)?.value, { state: "down", text: "new disk" });
    equal((await marks.mark({ ...down, site: BREST })).changed, false);
    const auto = await marks.mark({ service: "wiki", site: "brest", state: "auto" });
    deepEqual([auto.state, auto.changed], ["up", true]);
    equal(view.get("policy", key), undefined);
    deepEqual(written, [key, key]);
    deepEqual(served, written);
  });

  it("are refused for sites and services that are not there", async () => {
    const { marks, written } = world();
    for (const [service, site, code, says] of [
      ["wiki", "vannes", "E-SERVICE-SITE", /quimper, brest/],
      ["wiki", "gone", "E-SERVICE-SITE", /no member any more/],
      ["wiki", "quimper", "E-SERVICE-UNKNOWN", /It runs at brest/],
      ["blog", "quimper", "E-SERVICE-UNKNOWN", /No site does/],
      ["wik", "brest", "E-SERVICE-UNKNOWN", /No site does/],
    ] as const) {
      for (const state of ["up", "down", "auto"] as const) {
        await rejects(marks.mark({ service, site, state }), (error: Error) => {
          equal((error as Error & { code: string }).code, code);
          match(error.message, says);
          return true;
        });
      }
    }
    deepEqual(written, []);
  });

  it("that outlived their site or service can be taken away", async () => {
    const { marks, view } = world();
    for (const [service, siteId, site] of [
      ["wiki", GONE, "gone"],
      ["blog", BREST, "brest"],
    ] as const) {
      view.put(BREST, "policy", markKey(service, siteId), { state: "down" });
      equal((await marks.mark({ service, site, state: "auto" })).changed, true);
    }
  });
});

describe("without the right", () => {
  it("the missing grant and its command are named", async () => {
    const { marks, written } = world(() => false);
    await rejects(marks.mark({ service: "wiki", site: "brest", state: "down" }), {
      code: "E-SERVICE-RIGHT",
      hint: "An operator gives it:  pleach grant quimper policy mark --operator-key FILE",
    });
    await rejects(marks.setPolicy("wiki", { whenDown: "none" }), {
      code: "E-SERVICE-RIGHT",
      hint: "An operator gives it:  pleach grant quimper policy service --operator-key FILE",
    });
    deepEqual(written, []);
  });
});

describe("policies", () => {
  it("are written once; all is what holds without one", async () => {
    const { marks, view, written } = world();
    equal((await marks.setPolicy("wiki", { whenDown: "all" })).changed, false);
    equal((await marks.setPolicy("wiki", { whenDown: "none" })).changed, true);
    equal((await marks.setPolicy("wiki", { whenDown: "none" })).changed, false);
    deepEqual(view.get("policy", servicePolicyKey("wiki"))?.value, { whenDown: "none" });
    equal((await marks.setPolicy("wiki", { whenDown: "all" })).changed, true);
    equal(view.get("policy", servicePolicyKey("wiki")), undefined);
    equal(written.length, 2);
  });

  it("take a fallback as a name of a host, in any spelling of it", async () => {
    const { marks, view } = world();
    deepEqual(await marks.setPolicy("wiki", fallback("Status.Example.ORG.")), {
      service: "wiki",
      changed: true,
      note: null,
    });
    deepEqual(view.get("policy", servicePolicyKey("wiki"))?.value, fallback("status.example.org"));
    for (const name of ["", ".", "a b", "*.example", "_http.example", "a..b", "x".repeat(64)]) {
      await rejects(marks.setPolicy("wiki", fallback(name)), { code: "E-SERVICE-FALLBACK" });
    }
  });

  it("refuse a fallback that leads back, over others, too", async () => {
    const { marks } = world();
    const refused = { code: "E-SERVICE-FALLBACK" };
    await rejects(marks.setPolicy("wiki", fallback("wiki.mesh.example")), refused);
    await marks.setPolicy("wiki", fallback("agenda.mesh.example"));
    await rejects(marks.setPolicy("agenda", fallback("wiki.mesh.example")), refused);
    equal((await marks.setPolicy("wiki", fallback("wiki.elsewhere.example"))).changed, true);
  });

  it("warn of a fallback that is in a zone here and has no address", async () => {
    const { marks } = world();
    match(String((await marks.setPolicy("wiki", fallback("x.mesh.example"))).note), /no address/);
  });

  it("are refused for a service that no member runs", async () => {
    const { marks } = world();
    await rejects(marks.setPolicy("blog", { whenDown: "none" }), { code: "E-SERVICE-UNKNOWN" });
  });
});
