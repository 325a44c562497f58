/** What the DNS routes take and give. */
import { z } from "zod";

const name = z.string().min(1).max(1100);
const typeName = z.string().min(1).max(16);

/** Whose records a request is about. */
export const namedPlace = {
  /** Default: `public`. */
  view: z.string().min(1).max(32).optional(),
  /** Name or identifier of the site that alone shows them; with the view `lan`. */
  site: z.string().min(1).max(64).optional(),
};

/** Body of `POST /v1/dns/zones`. */
export const addZoneRequest = z.strictObject({
  name,
  /** Mail address of who looks after the zone. */
  mailbox: z.string().min(3).max(254).optional(),
  /** The last serial of a server that the zone is taken over from. */
  serial: z.int().min(0).max(4_294_967_295).optional(),
  ...namedPlace,
});
export type AddZoneRequest = z.infer<typeof addZoneRequest>;

/** Body of `POST /v1/dns/records`. */
export const editRequest = z.strictObject({
  action: z.enum(["set", "add", "remove"]),
  /** Absolute, with or without its final dot. */
  name,
  type: typeName.optional(),
  /** One text a record, as in a zone file. */
  data: z.array(z.string().max(65_535)).max(256),
  ttl: z.int().optional(),
  ...namedPlace,
});
export type EditRequest = z.infer<typeof editRequest>;

/** What an edit did. `written` and `removed` are 0 when everything was so already. */
export const editResult = z.object({
  zone: z.string(),
  serial: z.number(),
  written: z.number(),
  removed: z.number(),
  /** For `dns undo`; null when everything was so already. */
  change: z.string().nullable(),
  /** What a view shows of the name now, where that may surprise. */
  notes: z.array(z.string()),
});
export type EditOutcome = z.infer<typeof editResult>;

export const zonesShape = z.object({
  zones: z.array(
    z.object({
      name: z.string(),
      serial: z.number(),
      records: z.number(),
      /** Those that have the zone. */
      views: z.array(z.string()),
      warnings: z.array(z.string()),
    }),
  ),
  /** Where this node answers, and what it shows there to whoever has that very address. */
  listening: z.array(z.object({ address: z.string(), port: z.number(), view: z.string() })),
});
export type ZoneList = z.infer<typeof zonesShape>;

const record = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number(),
  data: z.string(),
  view: z.string(),
  /** Whose LAN alone is shown it; null for all that see the view. */
  viewSite: z.string().nullable(),
  origin: z.enum(["edit", "service", "node", "default"]),
  site: z.string().nullable(),
  service: z.string().nullable(),
  tsig: z.string().nullable(),
  provisional: z.boolean(),
});
export type RecordInfo = z.infer<typeof record>;

export const recordsShape = z.object({
  zone: z.string(),
  serial: z.number(),
  records: z.array(record),
  warnings: z.array(z.string()),
});
export type RecordList = z.infer<typeof recordsShape>;

export const zoneFileShape = z.object({ zone: z.string(), serial: z.number(), text: z.string() });
export type ZoneFile = z.infer<typeof zoneFileShape>;

export const explanationShape = z.object({
  name: z.string(),
  type: z.string(),
  zone: z.string().nullable(),
  serial: z.number().nullable(),
  view: z.string(),
  rcode: z.string(),
  authoritative: z.boolean(),
  why: z.array(z.string()),
  records: z.array(
    record.extend({
      section: z.string(),
      /** By its author's own clock. */
      writtenAtMs: z.number().nullable(),
    }),
  ),
  /** What other views would answer. */
  others: z.array(
    z.object({
      view: z.string(),
      rcode: z.string(),
      answer: z.array(z.string()),
      /** As the view that is explained does. */
      same: z.boolean(),
    }),
  ),
  /** Where this node answers DNS. */
  listening: z.array(z.object({ address: z.string(), port: z.number() })),
});
export type ExplanationInfo = z.infer<typeof explanationShape>;

/** Records in one batch of `POST /v1/dns/changes`. */
export const MAX_BATCH_RECORDS = 8000;

const recordText = z.strictObject({
  zone: name,
  /** Absolute. */
  name,
  type: typeName,
  /** As in a zone file, names absolute. */
  data: z.string().max(65_535),
});

/** Body of `POST /v1/dns/changes`: one batch of a change of many records. */
export const changeRequest = z.strictObject({
  /** The change that this goes on with, as the answer to its first batch named it. */
  change: z.string().max(16).optional(),
  puts: z.array(recordText.extend({ ttl: z.int().min(0) })).max(MAX_BATCH_RECORDS),
  removes: z.array(recordText).max(MAX_BATCH_RECORDS),
  last: z.boolean(),
  ...namedPlace,
});
export type ChangeRequest = z.infer<typeof changeRequest>;

export const changeResult = z.object({
  change: z.string().nullable(),
  written: z.number(),
  removed: z.number(),
  zones: z.array(z.object({ zone: z.string(), serial: z.number() })),
});
export type ChangeOutcome = z.infer<typeof changeResult>;

/** Body of `POST /v1/dns/undo`. */
export const undoRequest = z.strictObject({ change: z.string().min(1).max(16) });

export const changesShape = z.object({
  changes: z.array(
    z.object({
      id: z.string(),
      atMs: z.number(),
      zones: z.array(z.string()),
      written: z.number(),
      removed: z.number(),
      undoes: z.string().nullable(),
    }),
  ),
});
export type ChangeList = z.infer<typeof changesShape>;

/** Records of a zone in one answer to `GET /v1/dns/zones/ZONE/lines`. */
export const MAX_LINES = 10_000;

export const linesShape = z.object({
  zone: z.string(),
  serial: z.number(),
  /** Of all lines; another one in the next part means that the zone has changed between. */
  total: z.number(),
  lines: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      ttl: z.number(),
      data: z.string(),
      /** By a person, not derived from the inventory. */
      written: z.boolean(),
      /** Of the place that was asked about; shown there from a less specific one; or above it. */
      at: z.enum(["here", "below", "above"]),
    }),
  ),
});
export type LineList = z.infer<typeof linesShape>;
