/** `--view` and `--site`: whose records a command is about. */
import type { Command } from "commander";

export interface PlaceOptions {
  readonly view?: string;
  readonly site?: string;
}

export function withPlace(command: Command): Command {
  return command
    .option("--view <view>", "whose records: public (default), mesh or lan")
    .option("--site <name>", "with --view lan: those that only this site's LAN sees");
}

/** As requests carry it. */
export function placeIn({ view, site }: PlaceOptions): PlaceOptions {
  return { ...(view === undefined ? {} : { view }), ...(site === undefined ? {} : { site }) };
}

/** As the end of an address. */
export function placeQuery(options: PlaceOptions): string {
  const query = new URLSearchParams({ ...placeIn(options) }).toString();
  return query === "" ? "" : `?${query}`;
}

/** As a column has it. */
export function placeText(view: string, viewSite: string | null): string {
  return viewSite === null ? view : `${view} at ${viewSite}`;
}
