/**
 * Sockets that systemd has bound for us, so that port 53 needs no right of the daemon's own.
 *
 * The configuration says where to listen; a socket that was passed for one of its addresses is used
 * there in place of a new one. One that fits none is a mistake that somebody wants to know of.
 *
 * Source: sd_listen_fds(3).
 */
import { DnsError } from "./error.ts";
import { formatListen, type Listen } from "./listen.ts";
import { socketPlace } from "./socket-place.ts";

/** SD_LISTEN_FDS_START. */
const FIRST = 3;

/** An address with what is bound to it already. */
export interface ListenPlace extends Listen {
  readonly udpFd?: number;
  readonly tcpFd?: number;
}

/** The files that were passed to the process `pid`. */
export function passedFiles(env: Readonly<NodeJS.ProcessEnv>, pid: number): readonly number[] {
  const count = Number(env["LISTEN_FDS"]);
  if (env["LISTEN_PID"] !== String(pid) || !Number.isInteger(count) || count < 1) return [];
  return Array.from({ length: count }, (_, index) => FIRST + index);
}

/**
 * Gives each address the sockets that were passed for it.
 *
 * @throws DnsError (E-DNS-LISTEN) for a socket that fits no address, or is none of UDP and TCP.
 */
export function matchSockets(
  listen: readonly Listen[],
  fds: readonly number[],
): readonly ListenPlace[] {
  const passed = fds.map((fd) => {
    const place = socketPlace(fd);
    if (place !== undefined) return { fd, ...place };
    throw new DnsError(
      "E-DNS-LISTEN",
      `The file ${fd} that was passed is no socket of UDP or TCP.`,
      {
        hint: "See the socket unit: ListenDatagram= and ListenStream= with IP addresses.",
      },
    );
  });
  for (const { address, port, kind } of passed) {
    if (listen.some((each) => each.address === address && each.port === port)) continue;
    const place = formatListen({ address, port });
    const message = `A socket for ${place} (${kind.toUpperCase()}) was passed, which is not configured.`;
    throw new DnsError("E-DNS-LISTEN", message, {
      hint: `Add "${place}" to listen in [dns], or take it out of the socket unit.`,
    });
  }
  return listen.map((each) => {
    const find = (kind: "udp" | "tcp"): number | undefined =>
      passed.find(
        (one) => one.kind === kind && one.address === each.address && one.port === each.port,
      )?.fd;
    const [udpFd, tcpFd] = [find("udp"), find("tcp")];
    return {
      ...each,
      ...(udpFd === undefined ? {} : { udpFd }),
      ...(tcpFd === undefined ? {} : { tcpFd }),
    };
  });
}
