/**
 * The composition root: builds every part, connects the ports, starts and stops in order.
 *
 * The only file that knows all. What belongs to a part stays in it; here is who gets what.
 */
import { toHex } from "../protocol/ids.ts";
import type { Config } from "./config/config.ts";
import { loadConfig } from "./config/load.ts";
import { PLEACH_VERSION } from "./config/version.ts";
import { aboutRoutes } from "./control/about-routes.ts";
import { eventRoutes } from "./control/event-routes.ts";
import { ControlServer, makeWay } from "./control/server.ts";
import { openDataDirectory, openSiteKey } from "./data-directory.ts";
import { DiskGuard } from "./inventory/disk-guard.ts";
import { LinuxHost } from "./inventory/linux-host.ts";
import { Events } from "./observe/events.ts";
import { createLogger, type Logger } from "./observe/log.ts";
import { systemClock } from "./observe/system-clock.ts";
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
  const log = createLogger(first.log.level, (line) => process.stdout.write(`${line}\n`));
  const manager = new ServiceManager(log);
  const stops: (() => Promise<void>)[] = [];
  const stopAll = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  const stopSignal = nextSignal();
  try {
    await start(first, log, stops);
  } catch (error) {
    await stopAll();
    throw error;
  }
  process.on("SIGHUP", () => void reload(first, log, manager));
  log.info("ready", { version: PLEACH_VERSION, socket: first.socket });
  await manager.ready("ready");
  log.info("stopping", { signal: await stopSignal });
  const cut = setTimeout(() => {
    log.error("the stop took too long and was cut off");
    process.exit(1);
  }, STOP_TIMEOUT_MS);
  await manager.stopping();
  await stopAll();
  clearTimeout(cut);
  log.info("stopped");
}

/** Starts the parts; each pushes what stops it. They are stopped in the opposite order. */
async function start(config: Config, log: Logger, stops: (() => Promise<void>)[]): Promise<void> {
  const clock = systemClock;
  const host = new LinuxHost();
  const events = new Events();
  const startedAtMs = clock.monotonicMs();
  await makeWay(config.socket);
  await openDataDirectory(config.data);
  const siteKey = await openSiteKey(config.data, (size) => clock.random(size));
  const disk = await DiskGuard.start({
    directory: config.data,
    host,
    clock,
    log: log.part("disk"),
  });
  stops.push(() => disk.prepareStop());

  const about = aboutRoutes({
    about: () => ({
      version: PLEACH_VERSION,
      pid: process.pid,
      upMs: clock.monotonicMs() - startedAtMs,
      siteId: toHex(siteKey.publicKey),
      meshId: null,
      meshName: null,
      siteName: null,
    }),
  });
  const routes = [about, eventRoutes(events)];
  const socketPath = config.socket;
  const control = await ControlServer.start({ socketPath, routes, log: log.part("control") });
  stops.push(() => control.stop());
}

/** Reads the configuration again; a wrong one changes nothing. */
async function reload(running: Config, log: Logger, manager: ServiceManager): Promise<void> {
  await manager.reloading();
  try {
    loadConfig(running.file);
    log.info("the configuration was read again");
  } catch (error) {
    log.error("the configuration is wrong and the old one stays", {
      error: (error as Error).message,
    });
  }
  await manager.ready("ready");
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve(signal));
  });
}
