/** Deadlines: monotonic milliseconds; undefined for nothing to wait for. */

export const isDue = (deadline: number | undefined, now: number): boolean => deadline !== undefined && deadline <= now

export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time
  return first
}
