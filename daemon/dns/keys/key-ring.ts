/**
 * The TSIG keys as this node can use them: opened for itself, made, removed, and sealed for sites
 * that came later. What a key may do and who needs it is decided in core/zones/zone-keys.ts.
 *
 * Secrets are in memory only, never in a log or an answer of the control socket.
 */
import type { Clock } from "../../core/clock.ts";
import type { ViewEntry } from "../../core/logs/view.ts";
import { missingReaders, readersOf, zoneKeys, type ZoneKey } from "../../core/zones/zone-keys.ts";
import type { Logger } from "../../observe/log.ts";
import { nameKey, parseDnsName, sameName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import type { TsigAlgorithm } from "../../../protocol/dns/tsig.ts";
import type { TsigKey } from "../../../protocol/dns/tsig-mac.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import {
  MAX_SECRET_BYTES,
  MIN_SECRET_BYTES,
  openSecret,
  placeOfKey,
  SEAL_CHANCE_BYTES,
  sealedSecretKey,
  sealedSecretRecord,
  sealSecret,
  secretCheck,
  zoneKeyKey,
  type KeyScope,
  type ZoneKeyRecord,
} from "../../../protocol/dns/zone-key.ts";
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import { toHex, type SiteId, type VersionId } from "../../../protocol/ids.ts";
import type { BoxKeyPair } from "../../../protocol/keys/site-box.ts";
import { DnsError } from "../error.ts";
import type { ZoneWriter } from "../change-journal.ts";
import { soasOf } from "../stored-records.ts";
import { placeNamed } from "../view-place.ts";
import type { ZoneSource } from "../zone-source.ts";

export interface KeyRingOptions {
  readonly source: Pick<ZoneSource, "view" | "authority">;
  /** The apexes of the zones that are served. */
  readonly zones: () => readonly DnsName[];
  readonly siteId: SiteId;
  readonly box: BoxKeyPair;
  readonly writer: ZoneWriter;
  /** The other members that are there now. */
  readonly awake: () => readonly SiteId[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** A key that this node can check and make signatures of, with what it may do in each zone. */
export interface LiveKey {
  readonly tsig: TsigKey;
  readonly rights: readonly ZoneKey[];
}

export interface KeyRequest {
  readonly name: string;
  /** Zones of the mesh; all when empty. */
  readonly zones: readonly string[];
  readonly algorithm: TsigAlgorithm;
  /** Base64. Without: that of the key of this name that is there. */
  readonly secret?: string | undefined;
  readonly transfer: boolean;
  readonly update: readonly KeyScope[];
  /** Whose records it sees and changes. Default: the public's. */
  readonly view?: string | undefined;
  /** Name or identifier: with the view `lan`, only the records of this site. */
  readonly site?: string | undefined;
}

export interface ListedKey {
  readonly name: string;
  readonly zone: string;
  readonly algorithm: TsigAlgorithm;
  readonly transfer: boolean;
  readonly update: readonly KeyScope[];
  readonly view: ZoneView;
  /** The site whose records only it changes; null for those of all. */
  readonly viewSite: string | null;
  /** Who wrote it last; its identifier when it has left. */
  readonly site: string;
  /** The sites that can use it, and those that should and cannot yet. */
  readonly readers: readonly string[];
  readonly waiting: readonly string[];
  /** Whether this node can use it. */
  readonly usable: boolean;
}

export class KeyRing {
  readonly #options: KeyRingOptions;
  /** By version of the sealed record; undefined: it cannot be opened. */
  readonly #opened = new Map<VersionId, Uint8Array | undefined>();
  #sealing: Promise<void> | undefined;

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /** Keys of this name that this node can use; several only when zones have different secrets. */
  find(name: DnsName, algorithm?: TsigAlgorithm): readonly LiveKey[] {
    const bySecret = new Map<string, { tsig: TsigKey; rights: ZoneKey[] }>();
    for (const key of this.#all()) {
      if (!sameName(key.name, name) || (algorithm ?? key.algorithm) !== key.algorithm) continue;
      const secret = this.#secretOf(key);
      if (secret === undefined) continue;
      const id = `${key.algorithm} ${toHex(secret)}`;
      const tsig = { name: key.name, algorithm: key.algorithm, secret };
      const live = bySecret.get(id) ?? { tsig, rights: [] };
      live.rights.push(key);
      bySecret.set(id, live);
    }
    return [...bySecret.values()];
  }

  list(): readonly ListedKey[] {
    const { source } = this.#options;
    const { sites } = source.authority();
    const nameOf = (site: SiteId): string => sites.get(site)?.name ?? site;
    return this.#all().map((key) => {
      const missing = missingReaders(key, source.view(), source.authority());
      const readers = readersOf(key, source.view(), source.authority());
      const waiting = missing.map(({ site }) => nameOf(site));
      return {
        name: zoneText(key.name),
        zone: zoneText(key.zone),
        algorithm: key.algorithm,
        transfer: key.transfer,
        update: key.update,
        view: placeOfKey(key).view,
        viewSite: key.site === undefined ? null : nameOf(key.site),
        site: nameOf(key.author),
        readers: readers.map(({ site }) => nameOf(site)).filter((name) => !waiting.includes(name)),
        waiting,
        usable: this.#secretOf(key) !== undefined,
      };
    });
  }

  /**
   * Makes a key, or changes what one may do.
   *
   * @throws DnsError: E-DNS-ZONE for a zone that is not there, E-DNS-KEY for a secret or rights
   *   that cannot be, E-DNS-VIEW.
   */
  async add(request: KeyRequest): Promise<{ readonly zones: readonly string[] }> {
    const name = parseDnsName(request.name.toLowerCase());
    const zones = this.#zonesNamed(request.zones);
    const { algorithm, transfer, update } = request;
    if (!transfer && update.length === 0) {
      throw new DnsError("E-DNS-KEY", "The key may do nothing.", {
        hint: "Give it --transfer, or --update NAMES:TYPES.",
        exit: 2,
      });
    }
    const place = placeNamed(request, this.#options.source.authority().sites);
    const secret = this.#secretFor(request, name);
    const record: ZoneKeyRecord = {
      algorithm,
      check: secretCheck(secret),
      transfer,
      update: [...update],
      ...(place.view === "public" ? {} : place),
    };
    const changes = zones.flatMap((zone) => [
      { class: "zone" as const, key: zoneKeyKey(zone, name), value: plain(record) },
      ...this.#seals({ ...record, zone, name, author: this.#options.siteId }, secret),
    ]);
    await this.#options.writer.write(changes);
    return { zones: zones.map(zoneText) };
  }

  /** @param zone - Only there; undefined for all zones. @throws DnsError (E-DNS-KEY). */
  async remove(nameText: string, zone: string | undefined): Promise<{ zones: readonly string[] }> {
    const name = parseDnsName(nameText.toLowerCase());
    const zones = this.#zonesNamed(zone === undefined ? [] : [zone]);
    const found = this.#all().filter(
      (key) => sameName(key.name, name) && zones.some((each) => sameName(each, key.zone)),
    );
    if (found.length === 0) {
      throw new DnsError("E-DNS-KEY", `There is no key "${zoneText(name)}".`, {
        hint: "See them:  pleach dns keys list",
      });
    }
    const { source, writer } = this.#options;
    const keys = found.flatMap((key) => {
      const place = zoneKeyKey(key.zone, key.name);
      const seals = source.view().entries("zone", `${place}/`);
      return [place, ...seals.map((entry) => entry.key)];
    });
    await writer.write(keys.map((key) => ({ class: "zone", key, value: undefined })));
    return { zones: found.map((key) => zoneText(key.zone)) };
  }

  /** Seals keys that this node has to sites that need them since. Of the nodes that could, one does. */
  tend(): void {
    this.#sealing ??= this.#sealMissing()
      .catch((error: unknown) => {
        this.#options.log.warn("keys could not be sealed for other sites", {
          error: String(error),
        });
      })
      .finally(() => (this.#sealing = undefined));
  }

  async stop(): Promise<void> {
    await this.#sealing;
  }

  async #sealMissing(): Promise<void> {
    const { source, siteId, writer, awake, log } = this.#options;
    const view = source.view();
    const rights = source.authority();
    for (const key of this.#all()) {
      const missing = missingReaders(key, view, rights);
      const secret = missing.length === 0 ? undefined : this.#secretOf(key);
      if (secret === undefined || !rights.mayWrite(siteId, "zone", zoneKeyKey(key.zone, key.name)))
        continue;
      const lacking = new Set(missing.map(({ site }) => site));
      const could = readersOf(key, view, rights).filter(({ site }) => !lacking.has(site));
      const there = new Set([siteId, ...awake()]);
      const chosen = could
        .map(({ site }) => site)
        .toSorted()
        .find((site) => there.has(site));
      if (chosen !== siteId) continue;
      await writer.write(this.#seals(key, secret, missing));
      log.info("a key was sealed for more sites", {
        key: zoneText(key.name),
        sites: missing.length,
      });
    }
  }

  #seals(key: ZoneKey, secret: Uint8Array, readers?: ReturnType<typeof readersOf>) {
    const { source, clock } = this.#options;
    const wanted = readers ?? readersOf(key, source.view(), source.authority());
    if (wanted.length === 0) {
      throw new DnsError("E-DNS-KEY", "No site that answers DNS could use the key.", {
        hint: "Give a site an address to answer on:  [dns] listen. Keys for updates need its grant for the zone, too.",
      });
    }
    return wanted.map(({ site, boxKey }) => {
      const at = { zone: key.zone, name: key.name, site };
      const box = sealSecret(secret, at, boxKey, clock.random(SEAL_CHANCE_BYTES));
      return {
        class: "zone" as const,
        key: sealedSecretKey(key.zone, key.name, site),
        value: { box },
      };
    });
  }

  #secretFor({ secret, algorithm }: KeyRequest, name: DnsName): Uint8Array {
    const known = this.find(name, algorithm)[0]?.tsig.secret;
    const text = zoneText(name);
    if (secret === undefined) {
      if (known !== undefined) return known;
      throw new DnsError("E-DNS-KEY", `This node has no ${algorithm} secret of "${text}".`, {
        hint: "A new key:  pleach dns keys add NAME --transfer --out FILE",
      });
    }
    const bytes = Uint8Array.from(Buffer.from(secret, "base64"));
    if (bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) {
      const limits = `${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} are allowed`;
      throw new DnsError("E-DNS-KEY", `The secret has ${bytes.length} bytes; ${limits}.`);
    }
    const others = this.#all().filter((key) => sameName(key.name, name));
    if (others.some(({ check }) => check !== secretCheck(bytes))) {
      throw new DnsError("E-DNS-KEY", `There is a key "${text}" with another secret.`, {
        hint: `Take another name, or first:  pleach dns keys remove ${text}`,
      });
    }
    return bytes;
  }

  #secretOf(key: ZoneKey): Uint8Array | undefined {
    const { source, siteId } = this.#options;
    const sealed = source.view().get("zone", sealedSecretKey(key.zone, key.name, siteId));
    if (sealed === undefined) return undefined;
    if (!this.#opened.has(sealed.versionId)) {
      this.#opened.set(sealed.versionId, this.#open(key, sealed));
    }
    const secret = this.#opened.get(sealed.versionId);
    return secret !== undefined && secretCheck(secret) === key.check ? secret : undefined;
  }

  #open({ zone, name }: ZoneKey, { value }: ViewEntry): Uint8Array | undefined {
    const { siteId, box } = this.#options;
    const parsed = sealedSecretRecord.safeParse(value);
    if (!parsed.success) return undefined;
    return openSecret(parsed.data.box, { zone, name, site: siteId }, box.secretKey);
  }

  #all(): readonly ZoneKey[] {
    const view = this.#options.source.view();
    return this.#options.zones().flatMap((zone) => zoneKeys(view, zone));
  }

  #zonesNamed(names: readonly string[]): readonly DnsName[] {
    const view = this.#options.source.view();
    const zones =
      names.length === 0 ? this.#options.zones() : names.map((name) => parseDnsName(name));
    const unknown = zones.find((zone) => soasOf(view, zone).length === 0);
    if (unknown !== undefined || zones.length === 0) {
      const what = unknown === undefined ? "any zone" : `a zone "${zoneText(unknown)}"`;
      throw new DnsError("E-DNS-ZONE", `This mesh has not ${what}.`, {
        hint: "A new zone:  pleach dns add-zone NAME",
      });
    }
    return [...new Map(zones.map((zone) => [nameKey(zone), zone])).values()];
  }
}

/** A record as JSON. */
function plain({ algorithm, check, transfer, update, view, site }: ZoneKeyRecord) {
  return {
    ...(view === undefined ? {} : { view }),
    ...(site === undefined ? {} : { site }),
    algorithm,
    check,
    transfer,
    update: update.map(({ names, types }) => ({ names, types: [...types] })),
  };
}
