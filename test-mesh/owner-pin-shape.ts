/** What `init` and `join` leave beside the backup keys. */
import { z } from "zod";

const id = z.string().regex(/^[0-9a-f]{64}$/);

export const ownerPinShape = z.strictObject({
  v: z.literal(1),
  meshId: id,
  ownerId: id,
  sign: id,
  box: id,
});
