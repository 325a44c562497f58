/** What the routes of TSIG keys take and give. No answer has a secret in it. */
import { z } from "zod";
import { TSIG_ALGORITHMS } from "../../protocol/dns/tsig.ts";
import { MAX_SCOPES } from "../../protocol/dns/zone-key.ts";
import { namedPlace } from "./shapes-dns.ts";

const name = z.string().min(1).max(1100);
const scope = z.strictObject({ names: name, types: z.array(z.string().min(1).max(16)).max(32) });

/** Body of `POST /v1/dns/keys`. */
export const addKeyRequest = z.strictObject({
  name,
  /** All zones when empty. */
  zones: z.array(name).max(256),
  algorithm: z.enum(TSIG_ALGORITHMS),
  /** Base64. Without: that of the key of this name that is there. */
  secret: z.string().min(1).max(128).optional(),
  transfer: z.boolean(),
  update: z.array(scope).max(MAX_SCOPES),
  ...namedPlace,
});
export type AddKeyRequest = z.infer<typeof addKeyRequest>;

/** Body of `POST /v1/dns/keys/remove`. */
export const removeKeyRequest = z.strictObject({ name, zone: name.optional() });
export type RemoveKeyRequest = z.infer<typeof removeKeyRequest>;

/** The zones that a change of a key was about. */
export const keyZonesShape = z.object({ zones: z.array(z.string()) });

export const keysShape = z.object({
  keys: z.array(
    z.object({
      name: z.string(),
      zone: z.string(),
      algorithm: z.string(),
      transfer: z.boolean(),
      update: z.array(z.object({ names: z.string(), types: z.array(z.string()) })),
      view: z.string(),
      /** The site whose records only it changes; null for those of all. */
      viewSite: z.string().nullable(),
      /** Who wrote it last. */
      site: z.string(),
      /** The sites that can use it. */
      readers: z.array(z.string()),
      /** Those that should and cannot yet. */
      waiting: z.array(z.string()),
      /** Whether this node can use it. */
      usable: z.boolean(),
    }),
  ),
});
