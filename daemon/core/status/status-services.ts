/** Which services are up where, by what people and checks said of them. */
import type { View } from "../logs/view.ts";
import { serviceWords, stateOf } from "../zones/steering-state.ts";
import type { NamedSite } from "../zones/zone-inventory.ts";
import { plural, type Finding, type Todo } from "./status-finding.ts";

export interface ServiceFacts {
  /** Services, counted at each site that declares them. */
  readonly count: number;
  readonly sites: number;
  /** Of these, those that people or checks have said anything of. */
  readonly judged: number;
  readonly down: readonly DownService[];
  /** Names of services that are up at no site, though not all are marked down. */
  readonly nowhere: readonly string[];
}

export interface DownService {
  readonly service: string;
  /** Name of the site. */
  readonly site: string;
  /** Somebody wants it so; otherwise checks found it. */
  readonly marked: boolean;
  readonly text: string | undefined;
}

export function serviceFacts(view: View, sites: readonly NamedSite[]): ServiceFacts {
  const bySite = new Map(sites.map((site) => [site.siteId, site]));
  const words = serviceWords(view);
  const all = view.entries("site", "service/").flatMap(({ key, author }) => {
    const site = bySite.get(author);
    if (site === undefined) return [];
    const service = key.slice("service/".length);
    const mark = words.mark(service, author);
    const word = mark ?? words.verdict(service, author);
    const state = stateOf(words, service, author);
    return [{ service, site: site.name, state, marked: mark !== undefined, word }];
  });
  const byName = Map.groupBy(all, ({ service }) => service);
  return {
    count: all.length,
    sites: new Set(all.map(({ site }) => site)).size,
    judged: all.filter(({ word }) => word !== undefined).length,
    down: all
      .filter(({ state }) => state === "down")
      .map(({ service, site, marked, word }) => ({ service, site, marked, text: word?.text })),
    nowhere: [...byName].flatMap(([service, its]) => {
      const isDown = its.every(({ state }) => state === "down");
      return isDown && its.some(({ marked }) => !marked) ? [service] : [];
    }),
  };
}

export function serviceArea({ count, sites, judged, down, nowhere }: ServiceFacts): Finding {
  const name = "Services";
  if (count === 0) return { area: { name, state: "NONE", text: "none declared" }, todo: [] };
  const declared = `${count} declared at ${plural(sites, "site")}`;
  if (judged === 0) {
    return { area: { name, state: "NONE", text: `${declared}, not checked` }, todo: [] };
  }
  const found = down.filter(({ marked }) => !marked);
  const marked = down.length - found.length;
  const parts = [declared];
  if (found.length > 0) parts.push(`${found.length} down: ${listed(found)}`);
  if (marked > 0) parts.push(`${marked} marked down: ${listed(down.filter((one) => one.marked))}`);
  if (down.length === 0) parts.push("none known to be down");
  const state = nowhere.length > 0 ? "CRITICAL" : found.length > 0 ? "WARNING" : "OK";
  return { area: { name, state, text: parts.join(", ") }, todo: found.map(todoOf) };
}

function listed(down: readonly DownService[]): string {
  return down.map(({ service, site }) => `${service} at ${site}`).join(", ");
}

function todoOf({ service, site, text }: DownService): Todo {
  const why = text === undefined ? "" : ` (${text})`;
  return {
    text: `The service ${service} is down at ${site}, by its checks${why}.`,
    command: `pleach service show ${service}`,
  };
}
