/** Numbers of key epochs for people: `1 to 4, 7`. @param numbers - Ascending, none twice. */
export function epochText(numbers: readonly number[]): string {
  const runs: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && run.last === number - 1) run.last = number;
    else runs.push({ first: number, last: number });
  }
  return runs
    .map(({ first, last }) => {
      if (first === last) return String(first);
      return `${first}${last === first + 1 ? ", " : " to "}${last}`;
    })
    .join(", ");
}
