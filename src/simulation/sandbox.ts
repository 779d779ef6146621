/**
 * While a run is going on, whoever asks for ambient time, chance or a promise gets an error with a stack. A run that ends is
 * the proof that the shipped code asked for none.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module'

type Holder = Record<string, unknown>

const load = createRequire(import.meta.url)

/** What is taken away, by the object that holds it. */
type Forbidden = readonly (readonly [holder: Holder, names: readonly string[]])[]

function globals(): Forbidden {
  const world = globalThis as unknown as Holder
  return [
    [world, ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Promise', 'fetch']],
    [world['Date'] as Holder, ['now']],
    [world['Math'] as Holder, ['random']],
    [world['performance'] as Holder, ['now']],
    [world['process'] as Holder, ['hrtime', 'nextTick', 'uptime']]
  ]
}

const imports = (): Forbidden => [
  [load('node:crypto') as Holder, ['randomBytes', 'randomFillSync', 'randomFill', 'randomUUID', 'randomInt']]
]

/** Runs `body` without ambient time, chance and promises, and gives them back afterwards, whatever happens. */
export function isolated<T>(body: () => T): T {
  const giveBack = take([...globals(), ...imports()])
  try {
    syncBuiltinESMExports()
    return body()
  } finally {
    giveBack()
    syncBuiltinESMExports()
  }
}

/**
 * The same without what modules import by name. Exchanging that takes longer than a verb of somebody who drives a cluster by hand,
 * and the runs of campaigns have proved that the same code does without.
 */
export function isolatedBriefly<T>(body: () => T): T {
  const giveBack = take(globals())
  try {
    return body()
  } finally {
    giveBack()
  }
}

/** What is returned undoes it. */
function take(forbidden: Forbidden): () => void {
  const taken = forbidden.flatMap(([holder, names]) =>
    names.map((name) => ({ holder, name, before: Object.getOwnPropertyDescriptor(holder, name) }))
  )
  for (const { holder, name } of taken)
    Object.defineProperty(holder, name, { configurable: true, writable: true, value: refuse(name) })
  return () => {
    for (const { holder, name, before } of taken) {
      if (before === undefined) delete holder[name]
      else Object.defineProperty(holder, name, before)
    }
  }
}

const refuse = (name: string) =>
  function refused(): never {
    throw new Error(
      `${name} was used inside a simulation: it is ambient, and a run must be a function of its seed alone`
    )
  }
