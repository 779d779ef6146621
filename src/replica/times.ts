/** Deadlines: monotonic milliseconds; undefined for nothing to wait for. */

export const isDue = (deadline: number | undefined, now: number): boolean => deadline !== undefined && deadline <= now

export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined
  // At the end of every step: an iterator would be the larger part of what that leaves to be collected.
  for (let i = 0; i < times.length; i++) {
    const time = times[i]
    if (time !== undefined && (first === undefined || time < first)) first = time
  }
  return first
}
