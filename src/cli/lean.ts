/**
 * What a process that runs for months does when it has started, for the sake of its peers and of the hour in which it is needed.
 *
 * The kernel frees the memory of a killed process before it closes its sockets, so the size of a leader is part of every
 * failover (docs/PERFORMANCE.md). V8 lets the space for new objects grow for programs that make many: to 32 MiB in Node.js 22, to
 * 128 MiB in 24. Here it stays as it is when the node listens: a node that has nothing to do makes few.
 *
 * A start leaves garbage: a third of the heap, and as it is spread over all pages, it is no smaller when V8 has collected it. V8
 * does that when there is need, which is never in a node that has nothing to do. So once in its life, when the node has been
 * ready for a while, everything that it holds is moved together, and the rest goes back to the kernel. Nothing else runs
 * meanwhile, for some 40 ms: less than a doubt in a leader takes, but for the most hurried preset.
 *
 * A founding is some thousand functions that run a few times each, in a few tens of milliseconds, on processors that the other founders
 * may share. V8 begins to compile them for speed, on the main thread and beside it, when the founding is nearly over: a sixth of the
 * processor time of all founders in it. So its compilers rest while a cluster comes into being (`compilers.ts` says when). What was compiled
 * before keeps its speed, and what is asked for meanwhile is asked for again.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Clock, delay } from '../core/clock.ts'
import { keepCompiled, keepLater } from './compiled.ts'

/**
 * Whoever has just become ready has more urgent things to do. But before a rehearsal (src/node/rehearsal.ts): a collection forgets
 * the shapes of objects that are gone, and with them what code has learnt of those.
 */
const AFTER_READY_MS = 100
/** After it, with the rehearsal in between, whose code is kept as well. */
const KEEP_AFTER_MS = 400
/** A collection of everything, on the processors that this was measured on. Slower ones take longer. */
export const STALL_MS = 40
/** Of a leader whose followers lose patience sooner. */
const ASK_AGAIN_MS = 5_000
/** The group is heard in between. */
const PAUSE_MS = 5

/** What a node asks of V8, and the usual. A collector that drops what has not run for a while would drop what a failover needs. */
const FLAGS = [
  ['--semi-space-growth-factor=1', '--semi-space-growth-factor=2'],
  ['--no-flush-bytecode', '--flush-bytecode']
] as const

/** When the node listens: whatever a start needs is loaded. */
export function settleIn(): void {
  keepLater()
  for (const [ours] of FLAGS) setFlagsFromString(ours)
}

/**
 * When the node is ready, and as soon as it may stall for a moment. Rejects with the reason of `signal`.
 */
export async function becomeLean(clock: Clock, signal: AbortSignal, mayStall: () => boolean): Promise<void> {
  await delay(clock, AFTER_READY_MS, signal)
  while (!mayStall()) await delay(clock, ASK_AGAIN_MS, signal)
  collect()
  await delay(clock, KEEP_AFTER_MS, signal)
  // Left early, it closes what it has open.
  for (const _ of keepCompiled(underUsualFlags)) await delay(clock, PAUSE_MS, signal)
}

/** V8 reads compiled code only under the flags that it was written under. */
function underUsualFlags<T>(make: () => T): T {
  for (const [, usual] of FLAGS) setFlagsFromString(usual)
  const made = make()
  settleIn()
  return made
}

function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: Readonly<Record<string, string>>) => void
  setFlagsFromString('--no-expose-gc')
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/** Which functions a compiler of V8 may take. Unlike what switches one off, that can be taken back without knowing what it was. */
const FILTERS = ['--sparkplug-filter', '--maglev-filter', '--turbo-filter']
const ALL = '*'
/** No function is called that. */
const NONE = '~'

/** From now on what runs is interpreted, unless it is compiled already. */
export function restCompilers(): void {
  for (const filter of FILTERS) setFlagsFromString(`${filter}=${NONE}`)
}

/** Idempotent. */
export function wakeCompilers(): void {
  for (const filter of FILTERS) setFlagsFromString(`${filter}=${ALL}`)
}
