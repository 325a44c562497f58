import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { ControlClient } from "./client.ts";

const anything = z.unknown();

/** A server that counts what reaches it, and a client with one connection that has become idle. */
async function withIdle(
  act: (world: { client: ControlClient; server: Server; methods: string[] }) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pl-client-"));
  const methods: string[] = [];
  const server = createServer((request, response) => {
    methods.push(request.method ?? "");
    request.resume().on("end", () => response.end("{}"));
  });
  server.listen(join(directory, "s"));
  await once(server, "listening");
  const client = new ControlClient(join(directory, "s"));
  try {
    await client.get("/first", anything);
    // The answer is there before the connection is given back to the agent.
    await new Promise((resolve) => setImmediate(resolve));
    methods.length = 0;
    await act({ client, server, methods });
  } finally {
    client.close();
    server.close();
    await rm(directory, { recursive: true });
  }
}

test("a connection that was closed while it was idle is no fault", () =>
  withIdle(async ({ client, server, methods }) => {
    server.closeIdleConnections();
    await client.get("/again", anything);
    server.closeIdleConnections();
    await client.putOctets("/octets", new Uint8Array(1000));
    assert.deepEqual(methods, ["GET", "PUT"]);
  }));

test("what may not be done twice is not asked twice", () =>
  withIdle(async ({ client, server, methods }) => {
    server.closeIdleConnections();
    await assert.rejects(client.post("/again", {}, anything), { code: "E-DAEMON-DOWN" });
    assert.deepEqual(methods, []);
  }));

test("the memory of a body is free before the answer is there", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pl-client-"));
  const isSent = Promise.withResolvers<void>();
  let received = 0;
  const server = createServer((request, response) => {
    request.on("data", (part: Uint8Array) => (received += part.length));
    // A disk that takes its time: no answer before the memory was given back.
    request.on("end", () => void isSent.promise.then(() => response.writeHead(201).end("{}")));
  });
  server.listen(join(directory, "s"));
  await once(server, "listening");
  const client = new ControlClient(join(directory, "s"));
  try {
    const octets = new Uint8Array(4 * 1024 * 1024).fill(7);
    const onSent = (): void => {
      octets.fill(0);
      isSent.resolve();
    };
    assert.equal(await client.putOctets("/octets", octets, { onSent }), 201);
    assert.equal(received, octets.length);
  } finally {
    client.close();
    server.close();
    await rm(directory, { recursive: true });
  }
});
