/** What the lines of this site carry now, by what is configured for them. */
import type { Finding } from "./status-finding.ts";
import { timeText, type UplinkRule } from "../backup/uplink-rule.ts";

export interface LineFacts {
  readonly rule: UplinkRule;
  /** Until copies may be made over it: 0 now, Infinity never. */
  readonly opensInMs: number;
  /** Bytes per second now; undefined for no limit. */
  readonly upload: number | undefined;
  readonly download: number | undefined;
}

/** No area where nothing is configured. */
export function lineArea(lines: readonly LineFacts[]): readonly Finding[] {
  if (lines.length === 0) return [];
  const text = lines.map((line) => `${line.rule.name}: ${lineText(line)}`).join("; ");
  return [{ area: { name: "Lines", state: "OK", text }, todo: [] }];
}

function lineText({ rule, opensInMs, upload, download }: LineFacts): string {
  if (rule.metered) return "metered, no copies";
  if (opensInMs > 0) {
    return rule.hours === undefined ? "no copies" : `waits until ${timeText(rule.hours.from)}`;
  }
  const rates = [
    ...(upload === undefined ? [] : [`${rateText(upload)} up`]),
    ...(download === undefined ? [] : [`${rateText(download)} down`]),
  ];
  const until = rule.hours !== undefined && rule.outside === undefined;
  return [
    rates.length === 0 ? "copies at any rate" : `copies at ${rates.join(", ")}`,
    ...(until ? [`until ${timeText(rule.hours.to % (24 * 60))}`] : []),
  ].join(" ");
}

function rateText(bytesPerSecond: number): string {
  const kilobits = (bytesPerSecond * 8) / 1000;
  const text = (value: number, unit: string): string => `${Number(value.toFixed(1))} ${unit}/s`;
  return kilobits < 1000 ? text(kilobits, "kbit") : text(kilobits / 1000, "Mbit");
}
