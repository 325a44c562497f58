/** Zones, their records, and why an answer is what it is, on the control socket. */
import { Hono } from "hono";
import { readJson, RequestError } from "./body.ts";
import {
  addZoneRequest,
  editRequest,
  type AddZoneRequest,
  type EditOutcome,
  type EditRequest,
  type ExplanationInfo,
  type RecordList,
  type ZoneFile,
  type ZoneList,
} from "./shapes-dns.ts";

/** Filled in `main.ts`. */
export interface DnsPort {
  zones(): ZoneList;
  addZone(request: AddZoneRequest): Promise<EditOutcome>;
  removeZone(name: string): Promise<EditOutcome>;
  records(zone: string): RecordList;
  edit(request: EditRequest): Promise<EditOutcome>;
  exportZone(zone: string): ZoneFile;
  explain(name: string, type: string): ExplanationInfo;
}

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
      context.json(port.records(context.req.param("zone"))),
    )
    .get("/dns/zones/:zone/file", (context) =>
      context.json(port.exportZone(context.req.param("zone"))),
    )
    .post("/dns/records", async (context) =>
      context.json(await port.edit(await readJson(context, editRequest))),
    )
    .get("/dns/explain", (context) => {
      const name = context.req.query("name");
      if (name === undefined) throw new RequestError("E-REQUEST", "name is missing.", { exit: 2 });
      return context.json(port.explain(name, context.req.query("type") ?? "A"));
    });
}
