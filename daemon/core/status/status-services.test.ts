import { deepEqual, equal, match } from "node:assert/strict";
import { test } from "node:test";
import { markKey, verdictKey, type ServiceState } from "../../../protocol/dns/steering-record.ts";
import { hashId, type SiteId } from "../../../protocol/ids.ts";
import { RecordView } from "../../../test-mesh/fakes/record-view.ts";
import { serviceArea, serviceFacts } from "./status-services.ts";

const SITES = ["quimper", "brest"].map((name) => ({ siteId: hashId<SiteId>(name), name }));
const [QUIMPER, BREST] = SITES.map(({ siteId }) => siteId) as [SiteId, SiteId];

function world() {
  const view = new RecordView();
  for (const site of [QUIMPER, BREST, hashId<SiteId>("gone")]) {
    view.put(site, "site", "service/wiki", { name: "wiki" });
  }
  const verdict = (site: SiteId, state: ServiceState) => {
    view.put(site, "note", verdictKey("wiki"), { state, sinceMs: 0, weight: 0, text: "no answer" });
  };
  const mark = (site: SiteId, state: ServiceState) => {
    view.put(BREST, "policy", markKey("wiki", site), { state });
  };
  return { verdict, mark, area: () => serviceArea(serviceFacts(view, SITES)) };
}

test("services that nobody has judged are no evidence", () => {
  const { area, text } = { ...world().area(), text: "2 declared at 2 sites, not checked" };
  deepEqual(area, { name: "Services", state: "NONE", text });
});

test("what checks found down needs a person, what is down everywhere at once", () => {
  const { verdict, area } = world();
  verdict(QUIMPER, "up");
  equal(area().area.state, "OK");
  verdict(BREST, "down");
  equal(area().area.state, "WARNING");
  deepEqual(area().todo, [
    {
      text: "The service wiki is down at brest, by its checks (no answer).",
      command: "pleach service show wiki",
    },
  ]);
  verdict(QUIMPER, "down");
  equal(area().area.state, "CRITICAL");
});

test("what somebody marked down is wanted so, and is shown", () => {
  const { verdict, mark, area } = world();
  mark(QUIMPER, "down");
  mark(BREST, "down");
  equal(area().area.state, "OK");
  deepEqual(area().todo, []);
  match(area().area.text, /2 marked down: wiki at quimper, wiki at brest/);
  mark(BREST, "up");
  verdict(BREST, "down");
  equal(area().area.state, "OK", "a mark beats a verdict");
});
