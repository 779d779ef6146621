/** Writers that go on without a pause, and what each of their writes took: the same loop around any system's write. */
export interface CommitOrder {
  readonly inFlight: number
  /** Before anything counts: so many writes, as far as they fit into `warmUpMs`. */
  readonly warmUpWrites: number
  readonly warmUpMs: number
  readonly forMs: number
  /** Of one value. */
  readonly bytes: number
}

export interface Hammered {
  readonly latenciesMs: readonly number[]
  /** Of the first writes of the warm-up, as a system answers that was just started. */
  readonly coldMs: readonly number[]
  readonly elapsedMs: number
  /** That ended while it counted. */
  readonly writes: number
}

/** Of one run, for `coldMs`. */
const COLD_WRITES = 500

/**
 * What compiles as it runs is measured when it has been compiled, which takes writes and not time: a slow machine would measure
 * the compiler. `onCounting` is told when the warm-up is over. What it cost before is in `coldMs`.
 */
export async function hammer(
  { inFlight, warmUpWrites, warmUpMs, forMs }: CommitOrder,
  write: (number: number) => Promise<unknown>,
  onCounting: () => void
): Promise<Hammered> {
  const latest = performance.now() + warmUpMs
  let countedFrom = Infinity
  let begun = 0
  let ended = 0
  let writes = 0
  const latenciesMs: number[] = []
  const coldMs: number[] = []
  const writer = async (): Promise<void> => {
    for (let now = performance.now(); now < countedFrom + forMs;) {
      await write(++begun)
      const after = performance.now()
      ended++
      if (ended <= COLD_WRITES) coldMs.push(after - now)
      if (countedFrom < Infinity) writes++
      else if (ended >= warmUpWrites || after >= latest) {
        countedFrom = after
        onCounting()
      }
      if (now >= countedFrom) latenciesMs.push(after - now)
      now = after
    }
  }
  await Promise.all(Array.from({ length: inFlight }, writer))
  return { latenciesMs, coldMs, elapsedMs: performance.now() - countedFrom, writes }
}
