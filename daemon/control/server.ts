/**
 * The control socket: HTTP over a Unix socket that only root and the group may open.
 *
 * A route file `control/FEATURE-routes.ts` exports `featureRoutes(port): Hono`, where `port` is an
 * interface declared there and filled in `main.ts`; this server mounts it under `/v1`. Paths start
 * with the feature: `app.get("/dns/zones", …)` answers at `/v1/dns/zones`. Bodies are read by
 * `readJson` and `readOctets` of `body.ts`. A route throws a `PleachError` to refuse; here it
 * becomes JSON with a status by its exit code. Anything else that is thrown is a bug: 500, logged.
 */
import { chmod, lstat, unlink } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { PleachError } from "../../protocol/error.ts";
import type { Logger } from "../observe/log.ts";
import { RequestError } from "./body.ts";

export class SocketError extends PleachError<
  | "E-RUNNING" // a daemon already listens there
  | "E-SOCKET-PATH" // the path is too long, taken by something else, or cannot be written
> {}

/** sun_path of unix(7) has 108 bytes with its end. */
const MAX_PATH_BYTES = 107;
/** A local client that sends its head slower than this has stopped. */
const HEAD_TIMEOUT_MS = 10_000;
/** How long a stop waits for answers under way. */
const STOP_TIMEOUT_MS = 3000;
/** A command on a busy machine may be away from its connection for longer than the usual 5 s. */
const IDLE_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 128;

export interface ControlServerOptions {
  readonly socketPath: string;
  readonly routes: readonly Hono[];
  readonly log: Logger;
}

export class ControlServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Listens. Call {@link makeWay} before, at best before anything else of the daemon starts.
   *
   * @throws SocketError when the path cannot be used.
   */
  static async start({ socketPath, routes, log }: ControlServerOptions): Promise<ControlServer> {
    const app = controlApp(routes, log);
    const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    const server = createServer((request, response) => void answer(request, response));
    server.headersTimeout = HEAD_TIMEOUT_MS;
    server.requestTimeout = 0;
    server.keepAliveTimeout = IDLE_TIMEOUT_MS;
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        const message = `The control socket ${socketPath} cannot be opened (${cause.message}).`;
        const hint = "Its directory must exist and belong to the daemon's user.";
        reject(new SocketError("E-SOCKET-PATH", message, { hint, cause }));
      });
      server.listen(socketPath, resolve);
    });
    await chmod(socketPath, 0o660);
    server.on("error", (error) => log.error("control socket", { error: error.message }));
    return new ControlServer(server);
  }

  /** Takes no new requests, lets answers under way end for 3 s, then cuts. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const cut = setTimeout(() => this.#server.closeAllConnections(), STOP_TIMEOUT_MS);
    await closed;
    clearTimeout(cut);
  }
}

/** All routes and the way errors are told; apart from the socket, so that a test can call it. */
export function controlApp(routes: readonly Hono[], log: Logger): Hono {
  const app = new Hono();
  for (const route of routes) app.route("/v1", route);
  app.notFound((context) => {
    const message = `The daemon knows no ${context.req.method} ${context.req.path}.`;
    return context.json(errorBody(new RequestError("E-NOT-FOUND", message)), 404);
  });
  app.onError((thrown, context) => {
    if (thrown instanceof PleachError) return context.json(errorBody(thrown), statusOf(thrown));
    log.error("a request failed by a fault of the daemon", {
      path: context.req.path,
      error: thrown.stack ?? String(thrown),
    });
    const body = {
      code: "E-BUG",
      message: `The daemon failed at this by a fault of its own: ${thrown.message}`,
      changed: "It is not known what was changed.",
      hint: "See its log: journalctl -u pleach",
      exit: 1,
    };
    return context.json({ schemaVersion: 1, error: body }, 500);
  });
  return app;
}

function errorBody({ code, message, changed, hint, exit }: PleachError) {
  return { schemaVersion: 1, error: { code, message, changed, hint: hint ?? null, exit } };
}

/** The status follows the exit code; clients go by the code in the body. */
function statusOf(error: PleachError): 400 | 403 | 404 | 409 | 503 | 507 {
  if (error.code === "E-NOT-FOUND") return 404;
  if (error.code.endsWith("-SPACE")) return 507;
  if (error.exit === 2) return 400;
  if (error.exit === 4) return 503;
  if (error.exit === 5) return 403;
  return 409;
}

/**
 * Removes a socket that its daemon left behind, and nothing else.
 *
 * @throws SocketError when a daemon listens there, or the path cannot be used.
 */
export async function makeWay(socketPath: string): Promise<void> {
  if (Buffer.byteLength(socketPath) > MAX_PATH_BYTES) {
    const message = `The path of the control socket is longer than ${MAX_PATH_BYTES} bytes.`;
    throw new SocketError("E-SOCKET-PATH", message, { hint: `Shorten socket = "${socketPath}"` });
  }
  const there = await lstat(socketPath).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket()) {
    const message = `${socketPath} is there and is no socket.`;
    throw new SocketError("E-SOCKET-PATH", message, {
      hint: "Name another path, or move it away.",
    });
  }
  if (await listens(socketPath)) {
    const message = `A daemon already runs: it listens on ${socketPath}.`;
    const hint = "One machine runs several daemons only with a configuration each.";
    throw new SocketError("E-RUNNING", message, { hint });
  }
  await unlink(socketPath);
}

function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socketPath);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
}
