/**
 * Runs the node: logs, signals, reload, and a clean stop within 10 s.
 *
 * What the node is made of stands in `compose/`.
 */
import type { Stops } from "./compose/foundation.ts";
import { startNode } from "./compose/node.ts";
import type { Config } from "./config/config.ts";
import { loadConfig } from "./config/load.ts";
import { PLEACH_VERSION } from "./config/version.ts";
import { Events } from "./observe/events.ts";
import { createLogger, type Logger } from "./observe/log.ts";
import { ServiceManager } from "./service-manager.ts";

/** A clean stop takes no longer; what still hangs then is cut off. */
const STOP_TIMEOUT_MS = 9000;

/**
 * Runs the node until SIGTERM or SIGINT.
 *
 * @returns When everything is closed.
 * @throws PleachError when something that was configured cannot be had: port, path, key, socket.
 */
export async function runDaemon(first: Config): Promise<void> {
  process.umask(0o077);
  let config = first;
  const log = createLogger(
    () => config.log.level,
    (line) => process.stdout.write(`${line}\n`),
  );
  const stopSignal = nextSignal();
  const manager = new ServiceManager(log);
  const events = new Events();
  const stops: Stops = [];
  try {
    const failure = Promise.withResolvers<string>();
    const onFailure = (error: unknown): void => {
      log.error("the store has failed and the node ends", { error: String(error) });
      process.exitCode = 1;
      failure.resolve("failure");
    };
    const node = await startNode(first, { log, events, stops, onFailure });
    let reloading = Promise.resolve();
    process.on("SIGHUP", () => {
      reloading = reloading.then(async () => {
        await manager.reloading();
        const next = readAgain(config, log);
        if (next !== undefined) {
          config = next;
          await node.reload(next);
          events.publish({ type: "config" });
        }
        await manager.ready("ready");
      });
    });
    log.info("ready", { version: PLEACH_VERSION, socket: first.socket });
    await manager.ready("ready");
    log.info("stopping", { cause: await Promise.race([stopSignal, failure.promise]) });
  } finally {
    await stopAll(stops, log, manager);
  }
  log.info("stopped");
}

async function stopAll(stops: Stops, log: Logger, manager: ServiceManager): Promise<void> {
  const cut = setTimeout(() => {
    log.error("the stop took too long and was cut off");
    process.exit(1);
  }, STOP_TIMEOUT_MS);
  await manager.stopping();
  for (const stop of stops.splice(0).reverse()) await stop();
  clearTimeout(cut);
}

/** What a reload leaves as it was; changing it takes a restart. Of DNS, networks get other views at once. */
function fixedOf({ data, socket, keys, mesh, dns }: Config) {
  const { views: _, ...rest } = dns;
  return { data, socket, keys, mesh, dns: rest };
}

/** The configuration as it stands now; undefined, and the old one stays, when it is wrong. */
function readAgain(running: Config, log: Logger): Config | undefined {
  try {
    const next = loadConfig(running.file);
    const wanted: Readonly<Record<string, unknown>> = fixedOf(next);
    const fixed = fixedOf(running);
    for (const [setting, value] of Object.entries(fixed)) {
      if (JSON.stringify(wanted[setting]) === JSON.stringify(value)) continue;
      log.warn("a changed setting waits for a restart", { setting });
    }
    log.info("the configuration was read again");
    return { ...next, ...fixed, dns: { ...fixed.dns, views: next.dns.views } };
  } catch (error) {
    const { message } = error as Error;
    log.error("the configuration is wrong, the old one stays", { error: message });
    return undefined;
  }
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve(signal));
  });
}
