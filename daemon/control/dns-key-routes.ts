/** TSIG keys on the control socket: made, listed and removed; a secret goes in and never out. */
import { Hono } from "hono";
import { readJson } from "./body.ts";
import {
  addKeyRequest,
  removeKeyRequest,
  type AddKeyRequest,
  type RemoveKeyRequest,
} from "./shapes-dns-keys.ts";

/** Filled in `main.ts`. */
export interface DnsKeyPort {
  list(): readonly object[];
  add(request: AddKeyRequest): Promise<{ readonly zones: readonly string[] }>;
  remove(
    name: RemoveKeyRequest["name"],
    zone: RemoveKeyRequest["zone"],
  ): Promise<{ readonly zones: readonly string[] }>;
}

export function dnsKeyRoutes(port: DnsKeyPort): Hono {
  return new Hono()
    .get("/dns/keys", (context) => context.json({ keys: [...port.list()] }))
    .post("/dns/keys", async (context) => {
      const { zones } = await port.add(await readJson(context, addKeyRequest));
      return context.json({ zones: [...zones] });
    })
    .post("/dns/keys/remove", async (context) => {
      const { name, zone } = await readJson(context, removeKeyRequest);
      const { zones } = await port.remove(name, zone);
      return context.json({ zones: [...zones] });
    });
}
