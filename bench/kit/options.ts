/** The words that every benchmark understands, each with its default. */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export const RESULTS = fileURLToPath(new URL('../results/', import.meta.url))

/** `--rounds 100 --sizes 3,5 --seed x --only kill,stop --out directory --quick --force`. */
export interface Options {
  readonly rounds: number
  readonly sizes: readonly number[]
  readonly seed: string
  /** Parts of the benchmark by name; empty: all. */
  readonly only: readonly string[]
  /** Of a benchmark that watches for a time. */
  readonly minutes: number
  /** Where results and plots go. */
  readonly out: string
  /** A few rounds only: shows that everything works, proves nothing. */
  readonly quick: boolean
  /** Reports although others kept the machine busy, marked as such. */
  readonly force: boolean
}

export interface Defaults {
  readonly rounds?: number
  readonly sizes?: readonly number[]
  readonly only?: readonly string[]
  readonly minutes?: number
  /** What `--quick` makes of them. */
  readonly quick?: { readonly rounds?: number; readonly sizes?: readonly number[] }
}

const QUICK_ROUNDS = 3
const QUICK_MINUTES = 0.1

export function options(defaults: Defaults = {}, words: readonly string[] = process.argv.slice(2)): Options {
  const { values } = parseArgs({
    args: [...words],
    options: {
      rounds: { type: 'string' },
      sizes: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      out: { type: 'string' },
      minutes: { type: 'string' },
      quick: { type: 'boolean', default: false },
      force: { type: 'boolean', default: false }
    }
  })
  const { quick, force } = values
  const usual = quick ? { ...defaults, rounds: QUICK_ROUNDS, sizes: [3], ...defaults.quick } : defaults
  const rounds = Number(values.rounds ?? usual.rounds ?? 30)
  const sizes = values.sizes?.split(',').map(Number) ?? usual.sizes ?? [3]
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1')
  const minutes = Number(values.minutes ?? (quick ? QUICK_MINUTES : defaults.minutes) ?? 1)
  if (!(minutes > 0)) throw new Error('--minutes is a number above 0')
  if (sizes.some((n) => !Number.isInteger(n) || n < 1 || n > 9)) throw new Error('--sizes are whole numbers, 1 to 9')
  return {
    ...{ rounds, sizes, minutes, quick, force },
    seed: values.seed ?? 'quorate',
    only: values.only?.split(',') ?? defaults.only ?? [],
    out: values.out ?? RESULTS
  }
}

/** Those of `all` that `--only` names, or all of them. */
export function chosenOf<T extends string>(all: readonly T[], { only }: Options): readonly T[] {
  return only.length === 0 ? all : all.filter((name) => only.includes(name))
}
