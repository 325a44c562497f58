/**
 * Reads request bodies within limits: the declared length is checked before a byte is kept.
 */
import type { IncomingMessage } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { z } from "zod";
import { PleachError } from "../../protocol/error.ts";
import { release } from "../../protocol/backup/frame.ts";

export class RequestError extends PleachError<
  | "E-REQUEST" // the request has a form that this route does not take
  | "E-REQUEST-SIZE" // the body is too long, or shorter than declared
  | "E-NOT-FOUND" // no such route or thing
> {}

/** Enough for any edit by hand; a route with longer lists says so. */
const DEFAULT_JSON_BYTES = 256 * 1024;

/**
 * The checked JSON body of a request.
 *
 * @param shape - Make it strict (`z.strictObject`), so that a misspelt field is refused.
 * @throws RequestError (400) naming the field that is wrong.
 */
export async function readJson<T>(
  context: Context,
  shape: z.ZodType<T>,
  maxBytes = DEFAULT_JSON_BYTES,
): Promise<T> {
  const bytes = await readOctets(context, maxBytes);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new RequestError("E-REQUEST", "The body is not JSON.", { exit: 2, cause });
  }
  const checked = shape.safeParse(value);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? "body" : issue.path.join(".");
  const message = `${where}: ${issue?.message ?? "not valid"}.`;
  throw new RequestError("E-REQUEST", message, { exit: 2, cause: checked.error });
}

/**
 * The bytes of a body. Content-Length is required and has to be true.
 *
 * @param take - Gives the memory for it; {@link BodyMemory} has some that is used again.
 */
export async function readOctets(
  context: Context,
  maxBytes: number,
  take = (sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes),
): Promise<Uint8Array> {
  const declared = Number(context.req.header("content-length") ?? Number.NaN);
  if (!Number.isSafeInteger(declared) || declared < 0) {
    throw new RequestError("E-REQUEST-SIZE", "The request has no Content-Length.", { exit: 2 });
  }
  if (declared > maxBytes) {
    const message = `The body has ${declared} bytes, at most ${maxBytes} are taken.`;
    throw new RequestError("E-REQUEST-SIZE", message, { exit: 2 });
  }
  const bytes = take(declared);
  const size = await fill(bytes, (context.env as HttpBindings).incoming);
  if (size !== declared) {
    throw new RequestError("E-REQUEST-SIZE", "The body is not as long as declared.", { exit: 2 });
  }
  return bytes;
}

/**
 * Copies a body into place, part by part. Not through a web stream, which would copy each part once
 * more and leave both to the collector: that was half of what a shard cost the daemon.
 *
 * @returns How many bytes came, at most as many as there is room for.
 */
async function fill(bytes: Uint8Array, incoming: IncomingMessage): Promise<number> {
  let size = 0;
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const keep = (part: Uint8Array): void => {
    const taken = part.subarray(0, bytes.length - size);
    bytes.set(taken, size);
    size += taken.length;
    // Dead parts of many shards would gather, and each collection of them costs milliseconds.
    release(part);
  };
  incoming.on("data", keep);
  incoming.once("end", resolve);
  incoming.once("error", reject);
  incoming.once("close", () => reject(new Error("closed")));
  try {
    await ended;
    return size;
  } catch (cause) {
    // The client was ended in the middle; nobody is left to read this.
    throw new RequestError("E-REQUEST-SIZE", "The body broke off.", { exit: 2, cause });
  } finally {
    // The memory may belong to another body from now on.
    incoming.off("data", keep);
  }
}
