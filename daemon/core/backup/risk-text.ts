/** What puts a copy at risk, as sentences for a person. */
import { LEAST_LOCK_DAYS, type Risk } from "./set-safety.ts";

const DAY_MS = 86_400_000;

/** @param name - Of the site. */
export function riskText(name: string, risk: Risk): string {
  switch (risk.kind) {
    case "ended":
      return `${name} is no member any more.`;
    case "incomplete":
      return `${name} has not signed for everything yet (${risk.lacking} pieces are left).`;
    case "short-lock":
      return `${name} keeps what lists name no more for ${risk.days} days; safe is ${LEAST_LOCK_DAYS}.`;
    case "stale":
      return risk.forMs === undefined
        ? `What ${name} signed has a date that cannot be true: a clock is wrong.`
        : `${name} has said and proven nothing for ${Math.floor(risk.forMs / DAY_MS)} days.`;
    case "lost":
      return `${name} has lost ${risk.shards} shards.`;
    case "open":
      return OPEN[risk.outcome](name);
  }
}

const OPEN: Record<Extract<Risk, { kind: "open" }>["outcome"], (name: string) => string> = {
  failed: (name) => `${name} has not proven what it was asked for.`,
  refused: (name) => `${name} is there and does not answer what it is asked.`,
  offline: (name) => `${name} could not be reached to prove what it has.`,
};
