/**
 * A benchmark that watches does not compete with what it watches. Three nodes and the benchmark share two cores, and each line
 * that a node writes wakes the benchmark up just when the next message is on its way; on machines of their own the nodes would
 * be alone. So it steps behind them: it runs when they leave a core free. The times are the nodes' own, so while something
 * short is measured it need not look at all.
 */
import { setPriority } from 'node:os'

const NORMAL = 0
const BEHIND = 19

let isBehind = false

/** From now on, where that is allowed: only root may give its children a higher priority than its own. */
export function stepBehind(): void {
  if (process.getuid?.() !== 0) return
  setPriority(BEHIND)
  isBehind = true
}

/** A child begins with its parent's priority. Called as soon as it has a process id, before it has threads. */
export function stepInFront(pid: number | undefined): void {
  if (isBehind && pid !== undefined) setPriority(pid, NORMAL)
}

/**
 * Sleeps, all of it. The end of a child alone kept one of two cores busy for up to 0.7 ms, just when two survivors needed both. What the
 * nodes say meanwhile waits in the pipes.
 */
export function lookAway(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
