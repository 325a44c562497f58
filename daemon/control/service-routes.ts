/** What people and checks say of services, on the control socket. */
import { Hono } from "hono";
import type { z } from "zod";
import { readJson } from "./body.ts";
import {
  markRequest,
  policyRequest,
  reportRequest,
  type MarkRequest,
  type markAnswer,
  type PolicyRequest,
  type policyAnswer,
  type ReportRequest,
  type reportAnswer,
} from "./shapes-services.ts";

/** Filled in the composition root. */
export interface ServicePort {
  mark(service: string, request: MarkRequest): Promise<z.infer<typeof markAnswer>>;
  setPolicy(service: string, request: PolicyRequest): Promise<z.infer<typeof policyAnswer>>;
  report(service: string, request: ReportRequest): Promise<z.infer<typeof reportAnswer>>;
}

export function serviceRoutes(port: ServicePort): Hono {
  return new Hono()
    .put("/services/:name/mark", async (context) => {
      const request = await readJson(context, markRequest);
      return context.json(await port.mark(context.req.param("name"), request));
    })
    .put("/services/:name/policy", async (context) => {
      const request = await readJson(context, policyRequest);
      return context.json(await port.setPolicy(context.req.param("name"), request));
    })
    .post("/services/:name/reports", async (context) => {
      const request = await readJson(context, reportRequest);
      return context.json(await port.report(context.req.param("name"), request));
    });
}
