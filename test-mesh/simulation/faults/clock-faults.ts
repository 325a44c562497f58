/** Clocks that are wrong by ten years, and that jump while the daemon runs. */
import type { Fault } from "../world.ts";

const DAY_MS = 24 * 3_600_000;
/** The longest time that anything is kept for, and more. */
const QUARTER_MS = 100 * DAY_MS;

export const clockFaults: readonly Fault[] = [
  {
    weight: 3,
    happen: ({ random, boxes, sometimes }) => {
      const years = random.pick([-10, 10]);
      random.pick(boxes).clock.jump(years * 365 * DAY_MS);
      sometimes.reached("a clock ten years off");
    },
  },
  {
    weight: 3,
    happen: ({ random, boxes, sometimes }) => {
      random.pick(boxes).clock.jump(random.pick([-1, 1]) * random.between(1_000, QUARTER_MS));
      sometimes.reached("a clock that jumps");
    },
  },
];
