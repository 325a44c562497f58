/**
 * Keeps the site's own records in class `site` as they should be: `node`, `facts`, `service/NAME`.
 *
 * Services come from the configuration and from commands. A record says which (`declared`), so
 * that one leaves with its part of the configuration, and a command never fights a file. Nothing
 * is written that is there already: records change, they are not samples.
 */
import { encodeJson, type JsonValue } from "../../protocol/encoding/json-value.ts";
import type { NodeRecord, ServiceRecord } from "../../protocol/logs/record.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../observe/log.ts";
import { InventoryError } from "./error.ts";
import type { Facts } from "./facts.ts";

/** The site's own records; filled in `main.ts`. */
export interface OwnRecords {
  /** Whether this site is in a mesh and may write about itself. */
  mayWrite(): boolean;
  /** Own records of class `site` whose key starts so. */
  own(prefix: string): readonly { readonly key: string; readonly value: JsonValue }[];
  /** Durable when it resolves; undefined deletes. */
  write(
    changes: readonly { readonly key: string; readonly value: JsonValue | undefined }[],
  ): Promise<void>;
}

export interface InventoryOptions {
  readonly records: OwnRecords;
  /** How the node can be reached now. */
  readonly node: () => NodeRecord;
  readonly facts: () => Promise<Facts>;
  readonly clock: Clock;
  readonly log: Logger;
}

type Declared = "configuration" | "command";

const SERVICE_PREFIX = "service/";
/** The file of facts changes without a word; looking at it costs next to nothing. */
const REFRESH_EVERY_MS = 5 * 60_000;

export class Inventory {
  readonly #options: InventoryOptions;
  #configured: readonly ServiceRecord[] = [];
  #running: Promise<void> = Promise.resolve();
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  start(configured: readonly ServiceRecord[]): void {
    this.#configured = configured;
    void this.refresh();
  }

  /** The services that the configuration declares now. */
  configure(configured: readonly ServiceRecord[]): Promise<void> {
    this.#configured = configured;
    return this.refresh();
  }

  /** Brings the records up to date. Call it when addresses, membership or facts have changed. */
  refresh(): Promise<void> {
    this.#cancel();
    return this.#inTurn(async () => {
      if (this.#stopped || !this.#options.records.mayWrite()) return;
      await this.#write(await this.#wanted());
    })
      .catch((error: Error) => {
        this.#options.log.warn("the site's records stay as they were", { error: error.message });
      })
      .finally(() => {
        if (!this.#stopped) {
          this.#cancel = this.#options.clock.after(REFRESH_EVERY_MS, () => void this.refresh());
        }
      });
  }

  /**
   * Declares a service of this site.
   *
   * @param replace - Whether one that is there may be changed.
   * @throws InventoryError when the name is taken and not to be replaced.
   */
  addService(service: ServiceRecord, replace: boolean): Promise<"added" | "changed" | "unchanged"> {
    return this.#inTurn(async () => {
      const key = SERVICE_PREFIX + service.name;
      const there = this.#declared(key);
      this.#refuseConfigured(there, service.name);
      if (there !== undefined && !replace) {
        const message = `This site has a service "${service.name}" already.`;
        const hint = `Change it with --replace, or look:  pleach service show ${service.name}`;
        throw new InventoryError("E-SERVICE-TAKEN", message, { hint });
      }
      const wrote = await this.#write([[key, declaredBy("command", service)]]);
      if (!wrote) return "unchanged";
      return there === undefined ? "added" : "changed";
    });
  }

  /** @throws InventoryError when there is no such service here, or the configuration has it. */
  removeService(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const key = SERVICE_PREFIX + name;
      const there = this.#declared(key);
      if (there === undefined) {
        const message = `This site has no service "${name}".`;
        throw new InventoryError("E-SERVICE-UNKNOWN", message, { hint: "See pleach service list" });
      }
      this.#refuseConfigured(there, name);
      await this.#write([[key, undefined]]);
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  async #wanted(): Promise<(readonly [string, JsonValue | undefined])[]> {
    const wanted = new Map<string, JsonValue | undefined>();
    wanted.set("node", this.#options.node() as JsonValue);
    const facts = await this.#options.facts();
    if (!sameFacts(this.#options.records.own("facts")[0]?.value, facts)) wanted.set("facts", facts);
    for (const { key, value } of this.#options.records.own(SERVICE_PREFIX)) {
      if (declaration(value) === "configuration") wanted.set(key, undefined);
    }
    for (const service of this.#configured) {
      wanted.set(SERVICE_PREFIX + service.name, declaredBy("configuration", service));
    }
    return [...wanted];
  }

  /** Writes what differs. @returns Whether anything did. */
  async #write(wanted: readonly (readonly [string, JsonValue | undefined])[]): Promise<boolean> {
    const there = new Map(this.#options.records.own("").map(({ key, value }) => [key, value]));
    const changes = wanted
      .filter(([key, value]) => !same(there.get(key), value))
      .map(([key, value]) => ({ key, value }));
    if (changes.length > 0) await this.#options.records.write(changes);
    return changes.length > 0;
  }

  #declared(key: string): Declared | undefined {
    const found = this.#options.records.own(key).find((record) => record.key === key);
    return found === undefined ? undefined : declaration(found.value);
  }

  #refuseConfigured(there: Declared | undefined, name: string): void {
    if (there !== "configuration") return;
    const message = `The service "${name}" stands in the configuration of this site.`;
    const hint = "Change it there, then:  systemctl reload pleach";
    throw new InventoryError("E-SERVICE-CONFIG", message, { hint });
  }

  /** One change after the other: each reads what is there before it writes. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#running.then(act);
    this.#running = result.then(
      () => {},
      () => {},
    );
    return result;
  }
}

function declaredBy(declared: Declared, service: ServiceRecord): JsonValue {
  const { name, addresses, mesh = [], lan = [], ports, maintainers, zones } = service;
  return {
    ...{ declared, name, addresses },
    ...(mesh.length === 0 ? {} : { mesh }),
    ...(lan.length === 0 ? {} : { lan }),
    ...{ ports, maintainers },
    ...(zones === undefined ? {} : { zones }),
  };
}

function declaration(value: JsonValue): Declared {
  const declared = (value as { readonly declared?: unknown } | null)?.declared;
  return declared === "configuration" ? "configuration" : "command";
}

/** Whether only the time of collection differs. */
function sameFacts(there: JsonValue | undefined, facts: Facts): boolean {
  if (typeof there !== "object" || there === null || Array.isArray(there)) return false;
  const { collectedAtMs } = facts;
  return same(Object.assign({}, there, { collectedAtMs }), facts);
}

function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(encodeJson(a), encodeJson(b)) === 0;
}
