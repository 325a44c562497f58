/**
 * The program with a wall clock that is off by what the file of PLEACH_CLOCK_FILE says, in
 * milliseconds, as root of a box may have it. Time goes on as it does.
 */
import { readFileSync } from "node:fs";

const RealDate = Date;
const offMs = Number(readFileSync(process.env["PLEACH_CLOCK_FILE"] ?? "", "utf8"));

class OtherDate extends RealDate {
  constructor(...args: [] | [number | string | Date]) {
    super(args.length === 0 ? OtherDate.now() : args[0]);
  }

  static override now(): number {
    return RealDate.now() + offMs;
  }
}

globalThis.Date = OtherDate as DateConstructor;
await import("../../daemon/pleach.ts");
