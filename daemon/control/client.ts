/**
 * The client of the control socket: HTTP over a Unix socket, answers checked by a schema.
 *
 * What the daemon says is checked like anything from outside, so that a command and a daemon of
 * different versions part with a clear error. Errors of the daemon come back as
 * {@link DaemonError} with their code, words and exit code unchanged.
 */
import type { Agent, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { z } from "zod";
import { PleachError } from "../../protocol/error.ts";
import { release } from "../../protocol/backup/frame.ts";
import { errorShape } from "./shapes.ts";

/** Not by `import`: that looks at all the module exports, and so loads fetch, for 40 ms of CPU. */
const http = process.getBuiltinModule("node:http");

export class ControlError extends PleachError<
  | "E-DAEMON-DOWN" // nobody listens on the socket
  | "E-DAEMON-DENIED" // this user may not open the socket
  | "E-DAEMON-TIMEOUT" // no answer in time
  | "E-DAEMON-ANSWER" // an answer that this version does not understand
> {}

/** An error that the daemon reported; its code is one of the daemon's. */
export class DaemonError extends PleachError {}

/** Long enough for a daemon that syncs to a slow disk; long work answers early and is polled. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** JSON answers above this are refused: the entries of a list of a million shards fit. */
const MAX_JSON_BYTES = 128 * 1024 * 1024;

export interface RequestOptions {
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as octets, with their length. */
  readonly octets?: Uint8Array;
  /** How long to wait for the head of the answer and between parts of it. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called when the operating system has all octets: their memory may be used again. */
  readonly onSent?: () => void;
}

type SentRequest = {
  readonly method: Method;
  readonly path: string;
  readonly headers: Record<string, string | number>;
  /** In ms. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
};

/** A backup has eight shards on the way, and asks for other things meanwhile. */
const MAX_CONNECTIONS = 12;

/** What a connection says that the other side has closed. */
const STALE_CODES: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

type Method = "GET" | "PUT" | "POST" | "DELETE";

export class ControlClient {
  readonly socketPath: string;
  readonly #agent: Agent;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  }

  /**
   * Asks for JSON.
   *
   * @param path - With its prefix, for example `/v1/peers`. Encode variable parts.
   * @throws ControlError when there is no daemon or no usable answer; DaemonError when it refuses.
   */
  async get<T>(path: string, shape: z.ZodType<T>, options: RequestOptions = {}): Promise<T> {
    return this.#json("GET", path, shape, options);
  }

  async post<T>(path: string, json: unknown, shape: z.ZodType<T>, options: RequestOptions = {}) {
    return this.#json("POST", path, shape, { ...options, json });
  }

  async put<T>(path: string, json: unknown, shape: z.ZodType<T>, options: RequestOptions = {}) {
    return this.#json("PUT", path, shape, { ...options, json });
  }

  async delete<T>(path: string, shape: z.ZodType<T>, options: RequestOptions = {}): Promise<T> {
    return this.#json("DELETE", path, shape, options);
  }

  /** Puts octets and gives the status of the answer: 200 or 201. Any other is thrown. */
  async putOctets(path: string, octets: Uint8Array, options: RequestOptions = {}): Promise<number> {
    const answer = await this.#request("PUT", path, { ...options, octets });
    await collect(answer, MAX_JSON_BYTES);
    return answer.statusCode ?? 0;
  }

  /** The octets at a path. @param maxBytes - A longer answer is refused. */
  async getOctets(path: string, maxBytes: number, options: RequestOptions = {}) {
    return collect(await this.#request("GET", path, options), maxBytes);
  }

  /** The body as it comes, for events and anything that does not end. Destroy it when done. */
  async stream(path: string, options: RequestOptions = {}): Promise<Readable> {
    return this.#request("GET", path, options);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #json<T>(method: Method, path: string, shape: z.ZodType<T>, options: RequestOptions) {
    const answer = await this.#request(method, path, options);
    const body = await collect(answer, MAX_JSON_BYTES);
    const checked = shape.safeParse(parseJson(body));
    if (checked.success) return checked.data;
    throw new ControlError("E-DAEMON-ANSWER", `The daemon's answer to ${path} is not understood.`, {
      changed: method === "GET" ? "Nothing was changed." : "The daemon did what was asked.",
      hint: "Are the command and the daemon of one version? Restart: systemctl restart pleach",
      cause: checked.error,
    });
  }

  async #request(method: Method, path: string, options: RequestOptions): Promise<IncomingMessage> {
    const body =
      options.octets ??
      (options.json === undefined ? undefined : Buffer.from(JSON.stringify(options.json)));
    const headers: Record<string, string | number> = { accept: "application/json" };
    if (body !== undefined) {
      headers["content-length"] = body.length;
      headers["content-type"] =
        options.octets === undefined ? "application/json" : "application/octet-stream";
    }
    const timeout = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
    const { signal } = options;
    const answer = await this.#send(
      { method, path, headers, timeout, ...(signal === undefined ? {} : { signal }) },
      body,
      options.onSent,
    );
    if ((answer.statusCode ?? 500) < 300) return answer;
    throw daemonError(path, answer.statusCode ?? 500, parseJson(await collect(answer, 1_000_000)));
  }

  #send(
    request: SentRequest,
    body: Uint8Array | undefined,
    onSent?: () => void,
  ): Promise<IncomingMessage> {
    const { method, path, timeout } = request;
    return new Promise((resolve, reject) => {
      const sent = http.request(
        { ...request, socketPath: this.socketPath, agent: this.#agent },
        resolve,
      );
      sent.on("timeout", () => sent.destroy(this.#timeout(path, timeout)));
      let isGone = false;
      sent.on("finish", () => {
        isGone = onSent !== undefined;
        onSent?.();
      });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        // The daemon closed an idle connection at the moment in which it was taken up again. It has
        // not taken the body then, so whoever was told that it is sent is not concerned.
        const stale = sent.reusedSocket && STALE_CODES.has(error.code ?? "") && !isGone;
        if (stale && method !== "POST") resolve(this.#send(request, body, onSent));
        else reject(this.#explain(error));
      });
      sent.end(body);
    });
  }

  #timeout(path: string, timeoutMs: number): ControlError {
    const message = `The daemon gave no answer to ${path} within ${timeoutMs / 1000} s.`;
    return new ControlError("E-DAEMON-TIMEOUT", message, {
      changed: "The daemon may still do what was asked.",
      hint: "Look:  pleach status   and   journalctl -u pleach",
      exit: 4,
    });
  }

  #explain(error: NodeJS.ErrnoException): Error {
    if (error instanceof PleachError || error.name === "AbortError") return error;
    if (error.code === "EACCES" || error.code === "EPERM") {
      return new ControlError("E-DAEMON-DENIED", `You may not open ${this.socketPath}.`, {
        hint: "Run the command as root, or join the group of the socket (pleach).",
        exit: 4,
        cause: error,
      });
    }
    const gone = error.code === "ENOENT" || error.code === "ECONNREFUSED";
    const message = gone
      ? `No daemon is running: nobody listens on ${this.socketPath}.`
      : `The daemon broke off the talk over ${this.socketPath} (${error.message}).`;
    return new ControlError("E-DAEMON-DOWN", message, {
      changed: gone ? "Nothing was changed." : "It is not known whether the daemon did it.",
      hint: "Start it:  systemctl start pleach   or   pleach daemon --config FILE",
      exit: 4,
      cause: error,
    });
  }
}

function daemonError(path: string, status: number, body: unknown): PleachError {
  const checked = errorShape.safeParse(body);
  if (!checked.success) {
    return new ControlError("E-DAEMON-ANSWER", `The daemon answered ${path} with ${status}.`);
  }
  const { code, message, changed, hint, exit } = checked.data.error;
  const facts = { changed, exit };
  return new DaemonError(code, message, hint === null ? facts : { ...facts, hint });
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    return undefined;
  }
}

async function collect(answer: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(answer.headers["content-length"] ?? 0);
  // Grows where the length was not told.
  let bytes = new Uint8Array(declared <= maxBytes ? declared : 0);
  let size = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    const end = size + part.length;
    if (end > maxBytes) {
      answer.destroy();
      throw new ControlError("E-DAEMON-ANSWER", `The answer is longer than ${maxBytes} bytes.`);
    }
    if (end > bytes.length) {
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(end, 2 * bytes.length)));
      larger.set(bytes.subarray(0, size));
      bytes = larger;
    }
    bytes.set(part, size);
    size = end;
    // Dead parts of many shards would gather, and each collection of them costs milliseconds.
    release(part);
  }
  return size === bytes.length ? bytes : bytes.subarray(0, size);
}
