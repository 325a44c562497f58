import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Hono } from "hono";
import { z } from "zod";
import { PleachError } from "../../protocol/error.ts";
import { Events } from "../observe/events.ts";
import { createLogger, silentLogger } from "../observe/log.ts";
import { readJson, readOctets } from "./body.ts";
import { ControlClient } from "./client.ts";
import { eventRoutes } from "./event-routes.ts";
import { ControlServer, makeWay } from "./server.ts";

class TestError extends PleachError<"E-TEST" | "E-NO-SPACE"> {}

const edit = z.strictObject({ name: z.string().max(5) });
const anything = z.unknown();

interface World {
  readonly client: ControlClient;
  readonly socketPath: string;
  readonly events: Events;
  readonly logged: string[];
}

async function withServer(act: (world: World) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pl-socket-"));
  const socketPath = join(directory, "s");
  const events = new Events();
  const logged: string[] = [];
  const route = new Hono()
    .put("/name", async (context) => context.json(await readJson(context, edit)))
    .put("/octets", async (context) => {
      const bytes = await readOctets(context, 1000);
      return context.json({ size: bytes.length }, 201);
    })
    .get("/refused", () => {
      throw new TestError("E-TEST", "No.", { hint: "Ask again.", exit: 5 });
    })
    .get("/full", () => {
      throw new TestError("E-NO-SPACE", "Full.");
    })
    .get("/bug", () => {
      throw new TypeError("undefined is not a function");
    });
  const log = createLogger("error", (line) => logged.push(line));
  const routes = [route, eventRoutes(events)];
  await makeWay(socketPath);
  const server = await ControlServer.start({ socketPath, routes, log });
  const client = new ControlClient(socketPath);
  try {
    await act({ client, socketPath, events, logged });
  } finally {
    client.close();
    await server.stop();
    await rm(directory, { recursive: true });
  }
}

test("the socket is for owner and group alone", () =>
  withServer(async ({ socketPath }) => {
    assert.equal((await stat(socketPath)).mode & 0o777, 0o660);
  }));

test("a refusal comes back with code, words, hint and exit code", () =>
  withServer(async ({ client }) => {
    await assert.rejects(client.get("/v1/refused", anything), {
      code: "E-TEST",
      message: "No.",
      hint: "Ask again.",
      changed: "Nothing was changed.",
      exit: 5,
    });
    await assert.rejects(client.get("/v1/full", anything), { code: "E-NO-SPACE", exit: 1 });
    await assert.rejects(client.get("/v1/nowhere", anything), { code: "E-NOT-FOUND" });
  }));

test("a bug is told as one and logged with its place", () =>
  withServer(async ({ client, logged }) => {
    await assert.rejects(client.get("/v1/bug", anything), { code: "E-BUG" });
    assert.match(logged.join("\n"), /undefined is not a function.*server\.test\.ts/);
  }));

test("a client that ends in the middle of a body is no fault of the daemon", () =>
  withServer(async ({ client, socketPath, logged }) => {
    const socket = connect(socketPath);
    socket.write("PUT /v1/octets HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nbegun");
    await client.putOctets("/v1/octets", new Uint8Array(3));
    socket.destroy();
    await once(socket, "close");
    await client.putOctets("/v1/octets", new Uint8Array(3));
    assert.deepEqual(logged, []);
  }));

test("a body is checked: form, unknown fields, size, kind", () =>
  withServer(async ({ client }) => {
    assert.deepEqual(await client.put("/v1/name", { name: "wiki" }, edit), { name: "wiki" });
    for (const body of [{ name: "too long" }, { name: "a", more: 1 }, { nmae: "a" }, [], "x"]) {
      await assert.rejects(client.put("/v1/name", body, edit), { code: "E-REQUEST", exit: 2 });
    }
    assert.equal(await client.putOctets("/v1/octets", new Uint8Array(1000)), 201);
    await assert.rejects(client.putOctets("/v1/octets", new Uint8Array(1001)), {
      code: "E-REQUEST-SIZE",
    });
  }));

test("a body shorter than declared is no body", () =>
  withServer(async ({ socketPath, client }) => {
    const raw = connect(socketPath);
    raw.write("PUT /v1/octets HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nshort");
    await new Promise((resolve) => setTimeout(resolve, 50));
    raw.destroy();
    assert.equal(await client.putOctets("/v1/octets", new Uint8Array(3)), 201);
  }));

test("an answer that is not understood is an error, not a value", () =>
  withServer(async ({ client }) => {
    const shape = z.object({ other: z.number() });
    await assert.rejects(client.put("/v1/name", { name: "a" }, shape), { code: "E-DAEMON-ANSWER" });
  }));

test("events come as they are published", () =>
  withServer(async ({ client, events }) => {
    const stream = await client.stream("/v1/events");
    let text = "";
    for await (const part of stream) {
      text += String(part);
      if (text.includes("event: hello")) events.publish({ type: "link", site: "brest", up: true });
      if (text.includes("event: link")) break;
    }
    assert.match(text, /event: link\ndata: {"type":"link","site":"brest","up":true}/);
  }));

test("a second server is refused, a dead socket is replaced, a file is left alone", () =>
  withServer(async ({ socketPath }) => {
    await assert.rejects(makeWay(socketPath), { code: "E-RUNNING" });
    const file = `${socketPath}.file`;
    await writeFile(file, "mine");
    await assert.rejects(makeWay(file), { code: "E-SOCKET-PATH" });
    await assert.rejects(makeWay(`/${"x".repeat(200)}`), { code: "E-SOCKET-PATH" });
    const options = { socketPath: "/nowhere/at/all/s", routes: [], log: silentLogger };
    await assert.rejects(ControlServer.start(options), { code: "E-SOCKET-PATH" });
  }));

test("a client without daemon, or without the right to it, ends with 4", async () => {
  const client = new ControlClient("/nowhere/s");
  await assert.rejects(client.get("/v1/about", anything), { code: "E-DAEMON-DOWN", exit: 4 });
  if (process.getuid?.() === 0) return;
  await withServer(async ({ client: denied, socketPath }) => {
    await chmod(socketPath, 0);
    await assert.rejects(denied.get("/v1/about", anything), { code: "E-DAEMON-DENIED", exit: 4 });
  });
});
