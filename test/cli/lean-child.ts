/**
 * Calls what its arguments name (`begin`, `settle`, `rest`, `wake`) in their order, and prints what V8 does afterwards. Started by lean.test.ts,
 * because flags are of a whole process and stay.
 */
import { readdirSync } from 'node:fs'
import { getCompileCacheDir } from 'node:module'
import { getHeapCodeStatistics, getHeapSpaceStatistics } from 'node:v8'
import { runInThisContext, Script } from 'node:vm'
import { beginLean, restCompilers, settleIn, wakeCompilers } from '../../src/cli/lean.ts'

export interface Habits {
  /** Bytes of compiled code in a script of many functions that nobody has called. */
  readonly uncalledBytes: number
  /** The most that the space for new objects took of the kernel while 300,000 of them were made and few stayed. */
  readonly newSpaceBytes: number
  /** Bytes of functions that ran once, and how many of them are left after a few collections. */
  readonly ranBytes: number
  readonly keptBytes: number
  /** Files that the next start can read. */
  readonly cached: number
  /** A function that runs often is still interpreted. */
  readonly interprets: boolean
}

const times = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join('')

const uncalledBytes = (): number =>
  new Script(
    times(200, (i) => `function f${i}(a, b) { return [a, b, ${i}].map((x) => x + 1).length }`)
  ).createCachedData().length

function newSpaceBytes(): number {
  const kept: object[] = []
  let most = 0
  for (let i = 0; i < 300_000; i++) {
    kept[i % 4_000] = { i, within: [i] }
    if (i % 1_000 > 0) continue
    const { space_size } = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!
    most = Math.max(most, space_size)
  }
  return most
}

/** Needs --expose-gc; with --stress-flush-code V8 drops at once what it otherwise drops after a while. */
function flushed(): Pick<Habits, 'ranBytes' | 'keptBytes'> {
  const bytes = (): number => getHeapCodeStatistics().bytecode_and_metadata_size
  const body = times(300, (i) => `x = x * ${i} + (x % ${i + 1});`)
  const before = bytes()
  const functions = runInThisContext(`[${times(50, (i) => `(x) => { ${i}; ${body} return x },`)}]`) as ((
    x: number
  ) => number)[]
  for (const run of functions) run(1)
  const ranBytes = bytes() - before
  for (let i = 0; i < 8; i++) globalThis.gc!()
  const keptBytes = Math.max(0, bytes() - before)
  functions.length = 0
  return { ranBytes, keptBytes }
}

/** Needs --allow-natives-syntax. Compiled code is made by another thread and taken up by a later call. */
function interprets(): boolean {
  const { hot, isInterpreted } = runInThisContext(`({
    hot: (x) => { let sum = 0; for (let i = 0; i < 50; i++) sum += (x ^ i) % 7; return sum },
    isInterpreted: (fn) => %ActiveTierIsIgnition(fn)
  })`) as { hot: (x: number) => number; isInterpreted: (fn: unknown) => boolean }
  for (let i = 1; i < 20_000 && (i % 100 > 0 || isInterpreted(hot)); i++) hot(i)
  return isInterpreted(hot)
}

const WORDS = { begin: beginLean, settle: settleIn, rest: restCompilers, wake: wakeCompilers }
for (const word of process.argv.slice(2)) WORDS[word as keyof typeof WORDS]()
// Before anything that is measured is compiled.
const cached = readdirSync(getCompileCacheDir()!, { recursive: true, withFileTypes: true }).filter((entry) =>
  entry.isFile()
)
const habits: Habits = {
  cached: cached.length,
  interprets: interprets(),
  uncalledBytes: uncalledBytes(),
  newSpaceBytes: newSpaceBytes(),
  ...flushed()
}
process.stdout.write(JSON.stringify(habits))
