/**
 * V8 keeps the fields of a shape of object as small integers until one of them is given a larger number; then it gives the shape up
 * for another one. What was compiled before goes on making objects of the old one, and each of them is converted when it is first
 * looked at. One liar that says enormous numbers (FAULTS B12) makes every heartbeat of all later runs of a process dearer, by some
 * 6 % of all the time that a campaign takes. A field that was once without a number is kept in the form that takes anything.
 */
export function loosenShapes(samples: readonly object[]): void {
  for (const sample of samples) {
    const fields = sample as Record<string, unknown>
    for (const name of Object.keys(fields)) if (typeof fields[name] === 'number') fields[name] = undefined
  }
}
