/**
 * The views of a zone: who is meant to see a record.
 *
 * They overlay one another, `public` below `mesh` below `lan`: for each name and type a client is
 * answered from the most specific of the views up to its own that has any record.
 */
import type { SiteId } from "../ids.ts";

/** The least specific first. */
export const ZONE_VIEWS = ["public", "mesh", "lan"] as const;

export type ZoneView = (typeof ZONE_VIEWS)[number];

/** Where a record is shown. */
export interface ViewPlace {
  readonly view: ZoneView;
  /** Only by the node of this site; with the view `lan` only. */
  readonly site?: SiteId;
}

export const PUBLIC_PLACE: ViewPlace = { view: "public" };

/** `public`, `mesh`, `lan`, or `lan-` and the site: no two places have one text. */
export function placeText({ view, site }: ViewPlace): string {
  return site === undefined ? view : `${view}-${site}`;
}

/** Something for each view; often the same object three times. */
export type PerView<T> = Readonly<Record<ZoneView, T>>;

/** The same for all views. */
export function inAllViews<T>(value: T): PerView<T> {
  return { public: value, mesh: value, lan: value };
}

export function perView<T>(make: (view: ZoneView) => T): PerView<T> {
  return { public: make("public"), mesh: make("mesh"), lan: make("lan") };
}
