/** Zones, their records, and why an answer is what it is, on the control socket. */
import { Hono } from "hono";
import { readJson, RequestError } from "./body.ts";
import {
  addZoneRequest,
  changeRequest,
  editRequest,
  MAX_LINES,
  undoRequest,
  type AddZoneRequest,
  type ChangeList,
  type ChangeOutcome,
  type ChangeRequest,
  type EditOutcome,
  type EditRequest,
  type ExplanationInfo,
  type LineList,
  type RecordList,
  type ZoneFile,
  type ZoneList,
} from "./shapes-dns.ts";

type Place = Pick<EditRequest, "view" | "site">;

/** Filled in `main.ts`. */
export interface DnsPort {
  zones(): ZoneList;
  addZone(request: AddZoneRequest): Promise<EditOutcome>;
  removeZone(name: string): Promise<EditOutcome>;
  /** @param view - Undefined: the records of all. */
  records(zone: string, view: string | undefined): RecordList;
  edit(request: EditRequest): Promise<EditOutcome>;
  exportZone(zone: string, view: string | undefined): ZoneFile;
  change(request: ChangeRequest): Promise<ChangeOutcome>;
  undo(change: string): Promise<ChangeOutcome>;
  changes(): ChangeList;
  /** @param from - The number of lines to leave out. */
  lines(zone: string, place: Place, from: number, count: number): LineList;
  explain(
    name: string,
    type: string,
    asker: { readonly view?: string | undefined; readonly from?: string | undefined },
  ): Promise<ExplanationInfo>;
}

/** A batch of records, most of them short. */
const MAX_CHANGE_BYTES = 16 * 1024 * 1024;

export function dnsRoutes(port: DnsPort): Hono {
  return new Hono()
    .get("/dns/zones", (context) => context.json(port.zones()))
    .post("/dns/zones", async (context) =>
      context.json(await port.addZone(await readJson(context, addZoneRequest))),
    )
    .delete("/dns/zones/:zone", async (context) =>
      context.json(await port.removeZone(context.req.param("zone"))),
    )
    .get("/dns/zones/:zone/records", (context) =>
      context.json(port.records(context.req.param("zone"), context.req.query("view"))),
    )
    .get("/dns/zones/:zone/file", (context) =>
      context.json(port.exportZone(context.req.param("zone"), context.req.query("view"))),
    )
    .post("/dns/records", async (context) =>
      context.json(await port.edit(await readJson(context, editRequest))),
    )
    .post("/dns/changes", async (context) =>
      context.json(await port.change(await readJson(context, changeRequest, MAX_CHANGE_BYTES))),
    )
    .get("/dns/changes", (context) => context.json(port.changes()))
    .post("/dns/undo", async (context) =>
      context.json(await port.undo((await readJson(context, undoRequest)).change)),
    )
    .get("/dns/zones/:zone/lines", (context) => {
      const from = Number(context.req.query("from") ?? 0);
      if (!Number.isSafeInteger(from) || from < 0) {
        throw new RequestError("E-REQUEST", "from is not a number.", { exit: 2 });
      }
      const place = { view: context.req.query("view"), site: context.req.query("site") };
      return context.json(port.lines(context.req.param("zone"), place, from, MAX_LINES));
    })
    .get("/dns/explain", async (context) => {
      const name = context.req.query("name");
      if (name === undefined) throw new RequestError("E-REQUEST", "name is missing.", { exit: 2 });
      const asker = { view: context.req.query("view"), from: context.req.query("from") };
      return context.json(await port.explain(name, context.req.query("type") ?? "A", asker));
    });
}
