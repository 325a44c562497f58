/** Services, peers and facts on the control socket. */
import { Hono } from "hono";
import { readJson } from "./body.ts";
import {
  serviceRequest,
  type PeerInfo,
  type ServiceInfo,
  type ServiceRequest,
  type SiteFacts,
} from "./shapes-inventory.ts";

/** Filled in `main.ts`. */
export interface InventoryPort {
  /** Of all sites, by name and site. */
  services(): readonly ServiceInfo[];
  addService(request: ServiceRequest): Promise<"added" | "changed" | "unchanged">;
  removeService(name: string): Promise<void>;
  /** This site first. */
  peers(): readonly PeerInfo[];
  facts(): SiteFacts;
}

export function inventoryRoutes(port: InventoryPort): Hono {
  return new Hono()
    .get("/services", (context) => context.json({ services: port.services() }))
    .put("/services", async (context) => {
      const request = await readJson(context, serviceRequest);
      return context.json({ result: await port.addService(request) });
    })
    .delete("/services/:name", async (context) => {
      await port.removeService(context.req.param("name"));
      return context.json({ done: true });
    })
    .get("/peers", (context) => context.json({ peers: port.peers() }))
    .get("/facts", (context) => context.json(port.facts()));
}
