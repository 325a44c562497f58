/** The options that describe a site, the same for `init` and `join`. */
import type { Command } from "commander";
import { isCountry } from "../../../protocol/country.ts";
import { siteNameField, textField } from "../../../protocol/encoding/wire-field.ts";
import { UsageError } from "../shell/exit.ts";

export interface SiteOptions {
  readonly site?: string;
  readonly org?: string;
  readonly country?: string;
  readonly place?: string;
  readonly building?: string;
  readonly power?: string;
  readonly uplink?: string;
}

/** What a site says about itself, checked. */
export interface SiteWords {
  readonly name: string;
  readonly org: string;
  readonly place: string;
  readonly domains: {
    readonly building: string;
    readonly power: string;
    readonly uplink: string;
    readonly country: string;
  };
}

export function withSiteOptions(command: Command): Command {
  return command
    .option("--site <name>", "name of this site: a-z, 0-9 and - (default: the configured one)")
    .option("--org <name>", "the organisation that runs it (default: the site's name)")
    .option("--country <code>", "two letters, such as FR")
    .option("--place <words>", "where it stands, for people")
    .option("--building <name>", "what fails together: sites in one building")
    .option("--power <name>", "what fails together: sites on one power supply")
    .option("--uplink <name>", "what fails together: sites on one line or provider");
}

/** @throws UsageError which names the option that cannot be used. */
export function siteWords(options: SiteOptions, configured: string | undefined): SiteWords {
  const name = options.site ?? configured;
  if (name === undefined) {
    throw new UsageError("The site has no name.", 'Give --site NAME, or set  site = "NAME".');
  }
  if (!siteNameField.safeParse(name).success) {
    throw new UsageError(
      `${JSON.stringify(name)} cannot be the name of a site.`,
      "A name has 1 to 63 of a-z, 0-9 and -, and neither begins nor ends with -.",
    );
  }
  const country = (options.country ?? "").toUpperCase();
  if (country !== "" && !isCountry(country)) {
    throw new UsageError(`--country takes two letters such as FR, not "${country}".`);
  }
  const text = (option: "org" | "place" | "building" | "power" | "uplink", most = 64): string => {
    const value = options[option] ?? "";
    if (textField(most).safeParse(value).success) return value;
    throw new UsageError(`--${option} takes one line of at most ${most} characters.`);
  };
  return {
    name,
    org: text("org") === "" ? name : text("org"),
    place: text("place", 128),
    domains: {
      building: text("building"),
      power: text("power"),
      uplink: text("uplink"),
      country,
    },
  };
}
