/** `GET /v1/events`: what happens, as server-sent events, until the client goes. */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { DaemonEvent, EventListener } from "../observe/events.ts";

/** Filled in `main.ts`. */
export interface EventsPort {
  subscribe(listener: EventListener): () => void;
}

/** A listener that reads slower than this many events behind is cut off. */
const MAX_WAITING = 1000;
/** Shows a client that the daemon is there although nothing happens. */
const KEEP_ALIVE_MS = 15_000;

export function eventRoutes(port: EventsPort): Hono {
  return new Hono().get("/events", (context) =>
    streamSSE(context, async (stream) => {
      const waiting: DaemonEvent[] = [];
      let wake: () => void = () => {};
      const unsubscribe = port.subscribe((event) => {
        waiting.push(event);
        if (waiting.length > MAX_WAITING) stream.abort();
        wake();
      });
      stream.onAbort(() => {
        unsubscribe();
        wake();
      });
      await stream.writeSSE({ event: "hello", data: "{}" });
      while (!stream.aborted) {
        const event = waiting.shift();
        if (event !== undefined) {
          await stream.writeSSE({ event: event.type, data: JSON.stringify(event) });
          continue;
        }
        const woken = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(false), KEEP_ALIVE_MS);
          wake = () => {
            clearTimeout(timer);
            resolve(true);
          };
        });
        if (!woken) await stream.write(": still here\n\n");
      }
    }),
  );
}
