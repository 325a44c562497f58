/**
 * What people say about services: marks, which beat every check, and what is answered when a
 * service is up nowhere.
 *
 * Both are shared by all sites that have the right to write them; each change is served here when
 * the command that made it returns.
 */
import {
  isFallbackName,
  markKey,
  servicePolicyKey,
  type ServicePolicyRecord,
  type ServiceState,
} from "../../protocol/dns/steering-record.ts";
import { ZONE_VIEWS } from "../../protocol/dns/zone-view.ts";
import { sameJson, type JsonValue } from "../../protocol/encoding/json-value.ts";
import { leadsBack, serviceWords, stateOf, steeringOf } from "../core/zones/steering-state.ts";
import { InventoryError } from "./error.ts";
import type { KnownSite, ServiceRecords } from "./service-records.ts";

export interface MarkRequest {
  readonly service: string;
  /** Name or identifier. */
  readonly site: string;
  /** `auto` takes the mark away: checks decide again. */
  readonly state: ServiceState | "auto";
  /** Why, for people. */
  readonly text?: string | undefined;
}

export interface MarkResult {
  readonly service: string;
  readonly site: string;
  /** What counts now. */
  readonly state: ServiceState;
  readonly changed: boolean;
}

export interface PolicyResult {
  readonly service: string;
  readonly changed: boolean;
  /** What a person should know of it; null: nothing. */
  readonly note: string | null;
}

export class ServiceMarks {
  readonly #records: ServiceRecords;

  constructor(records: ServiceRecords) {
    this.#records = records;
  }

  /**
   * @throws InventoryError E-SERVICE-SITE for an unknown site, E-SERVICE-UNKNOWN for a service
   *   that it does not run, E-SERVICE-RIGHT without the right to mark.
   */
  async mark({ service, site: text, state, text: reason }: MarkRequest): Promise<MarkResult> {
    const view = this.#records.view();
    const site = this.#site(text);
    const key = markKey(service, site.siteId);
    const isLeft = state === "auto" && view.get("policy", key) !== undefined;
    // A mark that outlived its service or site can still be taken away.
    if (!isLeft) this.#refuseUnknown(service, site);
    this.#refuseWithoutRight(key);
    const why = reason === undefined ? {} : { text: reason };
    const changed = await this.#write(key, state === "auto" ? undefined : { state, ...why });
    const now = stateOf(serviceWords(this.#records.view()), service, site.siteId);
    return { service, site: site.name, state: now, changed };
  }

  /**
   * @param policy - `all` is the default, for which nothing is kept.
   * @throws InventoryError E-SERVICE-UNKNOWN when no site runs it, E-SERVICE-FALLBACK for a name
   *   that cannot be one, E-SERVICE-RIGHT without the right to set policies.
   */
  async setPolicy(service: string, policy: ServicePolicyRecord): Promise<PolicyResult> {
    if (this.#sitesOf(service).length === 0) {
      throw new InventoryError("E-SERVICE-UNKNOWN", `No site runs a service "${service}".`, {
        hint: "Those that are known:  pleach service list",
      });
    }
    const checked = this.#checked(service, policy);
    const key = servicePolicyKey(service);
    this.#refuseWithoutRight(key);
    const changed = await this.#write(key, checked.whenDown === "all" ? undefined : checked);
    return { service, changed, note: this.#missing(service) };
  }

  #checked(service: string, policy: ServicePolicyRecord): ServicePolicyRecord {
    if (policy.whenDown !== "fallback") return policy;
    const name = policy.name.toLowerCase().replace(/\.$/, "");
    if (!isFallbackName(name)) {
      const message = `"${policy.name}" is not a name that a host can have.`;
      const hint = "A full name, for example status.example.org.";
      throw new InventoryError("E-SERVICE-FALLBACK", message, { hint, exit: 2 });
    }
    const wanted: ServicePolicyRecord = { whenDown: "fallback", name };
    const view = this.#records.view();
    const words = serviceWords(view);
    const then = { policy: (of: string) => (of === service ? wanted : words.policy(of)) };
    if (leadsBack(view, service, then)) {
      const message = `The fallback ${name} leads back to ${service}, so it would answer nothing.`;
      const hint = "Name something that does not depend on this service.";
      throw new InventoryError("E-SERVICE-FALLBACK", message, { hint });
    }
    return wanted;
  }

  /** A fallback in a zone of the mesh that has no address there. */
  #missing(service: string): string | null {
    const view = this.#records.view();
    const policy = serviceWords(view).policy(service);
    if (policy.whenDown !== "fallback") return null;
    const sites = this.#records.siteNames().flatMap((name) => this.#records.site(name) ?? []);
    const rule = steeringOf({ view, sites, ownSite: this.#records.siteId }).whenDown(service);
    const isMissing =
      rule.kind === "fallback" && ZONE_VIEWS.every((each) => rule.here(each)?.length === 0);
    if (!isMissing) return null;
    return `${policy.name} has no address yet. Until it has one, all sites are answered.`;
  }

  async #write(key: string, value: JsonValue | undefined): Promise<boolean> {
    const there = this.#records.view().get("policy", key);
    const isSame =
      there === undefined
        ? value === undefined
        : value !== undefined && there.conflicts.length === 0 && sameJson(there.value, value);
    if (isSame) return false;
    await this.#records.write({ class: "policy", key, value });
    await this.#records.served();
    return true;
  }

  #site(text: string): KnownSite {
    const site = this.#records.site(text);
    if (site !== undefined) return site;
    const known = this.#records.siteNames().join(", ");
    throw new InventoryError("E-SERVICE-SITE", `No site is named "${text}". Sites: ${known}.`, {
      hint: "All of them:  pleach peers",
    });
  }

  #refuseUnknown(service: string, site: KnownSite): void {
    if (!site.isMember) {
      throw new InventoryError("E-SERVICE-SITE", `${site.name} is no member any more.`, {
        hint: "Nothing leads to its services. A mark that is left:  pleach service mark NAME --site SITE auto",
      });
    }
    const sites = this.#sitesOf(service);
    if (sites.includes(site.siteId)) return;
    const names = this.#records
      .siteNames()
      .filter((name) => sites.some((each) => each === this.#records.site(name)?.siteId));
    const where = names.length === 0 ? "No site does." : `It runs at ${names.join(", ")}.`;
    throw new InventoryError(
      "E-SERVICE-UNKNOWN",
      `${site.name} runs no service "${service}". ${where}`,
      { hint: "All services:  pleach service list" },
    );
  }

  /** The members that run it. */
  #sitesOf(service: string) {
    return this.#records
      .view()
      .entries("site", `service/${service}`)
      .filter(({ key }) => key === `service/${service}`)
      .map(({ author }) => author)
      .filter((author) => this.#records.site(author)?.isMember === true);
  }

  #refuseWithoutRight(key: string): void {
    if (this.#records.mayWrite(key)) return;
    const [part = ""] = key.split("/");
    const own = this.#records.site(this.#records.siteId)?.name ?? "SITE";
    const what = part === "mark" ? "mark services" : "set policies of services";
    const message = `This site may not ${what}: it has no grant of the class policy for "${part}".`;
    const hint = `An operator gives it:  pleach grant ${own} policy ${part} --operator-key FILE`;
    throw new InventoryError("E-SERVICE-RIGHT", message, { hint, exit: 5 });
  }
}
