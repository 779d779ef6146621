/**
 * What a process that runs for months does when it starts, for the sake of its peers, of its next start, and of the hour in
 * which it is needed.
 *
 * V8 compiles a function when it is first called, and Node.js keeps for the next start only what was compiled before anything ran.
 * So each start compiled some 2,600 functions one by one, most of them in the middle of forming a cluster. What a node consists
 * of is therefore compiled whole, which happens once for each version and Node.js; later starts read it from the cache.
 *
 * The kernel frees the memory of a killed process before it closes its sockets, so the size of a leader is part of every
 * failover (docs/PERFORMANCE.md). V8 lets the space for new objects grow for programs that make many: to 32 MiB in Node.js 22, to
 * 128 MiB in 24. Here it stays as small as it begins: the start is no slower for it, and a node that has nothing to do makes few.
 *
 * A founding is some thousand functions that run a few times each, in a few tens of milliseconds, on processors that the other founders
 * may share. V8 begins to compile them for speed, on the main thread and beside it, when the founding is nearly over: a sixth of the
 * processor time of all founders in it. So its compilers rest while a cluster comes into being (`compilers.ts` says when). What was compiled
 * before keeps its speed, and what is asked for meanwhile is asked for again.
 */
import { flushCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'

/**
 * Modules of Node.js that a node needs and nothing has asked for yet. Node.js has them compiled, for the flags that it was built with:
 * under any others it compiles them again.
 */
const BUILTINS = [
  'assert',
  'cluster',
  'crypto',
  'dgram',
  'dns',
  'perf_hooks',
  'readline',
  'tty',
  'worker_threads',
  'zlib'
]

/** Before what `up` consists of is loaded; `settleIn` ends it. */
export function beginLean(): void {
  for (const name of BUILTINS) process.getBuiltinModule(name)
  // Loaded when they are first read.
  void [globalThis.crypto, globalThis.navigator]
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--no-lazy')
}

/** When the node listens: whatever a start needs is compiled, and nobody waits for an answer yet. */
export function settleIn(): void {
  setFlagsFromString('--lazy')
  // A collector that drops what has not run for a while would drop what a failover needs: it runs once in months.
  setFlagsFromString('--no-flush-bytecode')
  // Otherwise only a process that ends in order would leave compiled code to the next one. Writes once for each version.
  flushCompileCache()
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
