/**
 * Calls what its arguments name (`settle`, `lean`, `rest`, `wake`) in their order, and prints what V8 does afterwards. `litter` first makes
 * what a start leaves. Started by lean.test.ts, because flags are of a whole process and stay.
 */
import { getHeapCodeStatistics, getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { becomeLean, restCompilers, settleIn, wakeCompilers } from '../../src/cli/lean.ts'
import { systemClock } from '../../src/core/clock.ts'

export interface Habits {
  /** The most that the space for new objects took of the kernel while 300,000 of them were made and few stayed. */
  readonly newSpaceBytes: number
  /** Bytes of functions that ran once, and how many of them are left after a few collections. */
  readonly ranBytes: number
  readonly keptBytes: number
  /** What the heap took of the kernel after garbage was made, and after the words. */
  readonly heapBytes: readonly [before: number, after: number]
  /** A function that runs often is still interpreted. */
  readonly interprets: boolean
}

const times = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join('')

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

let staying: readonly string[] = []

/** Old garbage, spread over all pages: of ten texts one stays. On its way there it also makes the space for new objects larger. */
function litter(): void {
  const spread = Array.from({ length: 200_000 }, (_, i) => `text ${i} `.repeat(4))
  staying = spread.filter((_, i) => i % 10 === 0)
}

const heap = (): number => getHeapStatistics().total_physical_size

const words = process.argv.slice(2)
if (words[0] === 'litter') litter()
const before = heap()
const WORDS = {
  litter: () => {},
  settle: settleIn,
  lean: () => becomeLean(systemClock, new AbortController().signal, () => true),
  rest: restCompilers,
  wake: wakeCompilers
}
for (const word of words) await WORDS[word as keyof typeof WORDS]()
const after = heap()
if (words[0] === 'litter' && staying.length !== 20_000) throw new Error('nothing stayed')
const habits: Habits = {
  interprets: interprets(),
  newSpaceBytes: newSpaceBytes(),
  ...flushed(),
  heapBytes: [before, after]
}
process.stdout.write(JSON.stringify(habits))
