/**
 * What people and checks say about services: marks, policies and verdicts.
 *
 * Marks and policies stand in the class `policy`, which sites share: a mark is the word of a person
 * about a service at one site. Verdicts stand in the class `note`, each site's own: a site judges
 * what runs there and nothing else. None of these counts in the serial of a zone.
 */
import { z } from "zod";
import { textField } from "../encoding/wire-field.ts";
import { parseId, type SiteId } from "../ids.ts";
import { isHostName, parseDnsName } from "./dns-name.ts";
import { zoneText } from "./zone-record.ts";

export const SERVICE_STATES = ["up", "down"] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];

/** Why somebody says so, for people. */
const reason = textField(200, 1).optional();

/** Class `policy`, key `mark/SERVICE/SITE`: it counts more than any verdict, until it is deleted. */
export const markRecord = z.object({ state: z.enum(SERVICE_STATES), text: reason });
export type MarkRecord = z.output<typeof markRecord>;

/** Class `policy`, key `service/NAME`: what is answered while the service is up nowhere. */
export const servicePolicyRecord = z.discriminatedUnion("whenDown", [
  z.object({ whenDown: z.literal("all") }),
  z.object({ whenDown: z.literal("none") }),
  z.object({ whenDown: z.literal("fallback"), name: z.string().refine(isFallbackName) }),
]);
export type ServicePolicyRecord = z.output<typeof servicePolicyRecord>;

/** The last moment that a Date can hold. */
const MAX_TIME_MS = 8.64e15;
/** Thousandths of a fall, see daemon/core/zones/verdict.ts. */
export const MAX_VERDICT_WEIGHT = 12_000;

/** Class `note`, key `verdict/NAME`: what came of the reports about the author's own service. */
export const verdictRecord = z.object({
  state: z.enum(SERVICE_STATES),
  /** Since when, by the author's wall clock. */
  sinceMs: z.int().min(0).max(MAX_TIME_MS),
  /** What falls of late weighed then. */
  weight: z.int().min(0).max(MAX_VERDICT_WEIGHT),
  text: reason,
});
export type VerdictRecord = z.output<typeof verdictRecord>;

export const MARK_PREFIX = "mark/";
const SERVICE_POLICY_PREFIX = "service/";
export const VERDICT_PREFIX = "verdict/";

export function markKey(service: string, site: SiteId): string {
  return `${MARK_PREFIX}${service}/${site}`;
}

/** Undefined for any other key. */
export function parseMarkKey(
  key: string,
): { readonly service: string; readonly site: SiteId } | undefined {
  const [start, service = "", siteText, ...rest] = key.split("/");
  const site = parseId<SiteId>(siteText);
  if (start !== "mark" || site === undefined || rest.length > 0) return undefined;
  return service === "" ? undefined : { service, site };
}

export function servicePolicyKey(service: string): string {
  return SERVICE_POLICY_PREFIX + service;
}

export function verdictKey(service: string): string {
  return VERDICT_PREFIX + service;
}

/** Whether a text is a name that a host can have, in lower case and without its final dot. */
export function isFallbackName(text: string): boolean {
  try {
    const name = parseDnsName(text);
    return name.length > 1 && isHostName(name) && zoneText(name) === text && !text.startsWith("*");
  } catch {
    return false;
  }
}
