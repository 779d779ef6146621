/** `quorate simulate`: its options and the rules between them. The work is in run-simulate.ts, which is loaded when it is due. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { UsageError } from '../cli-errors.ts'
import type { Io } from '../io.ts'
import { example, wholeNumber } from './shared.ts'

export interface SimulateOptions {
  readonly nodes: number
  readonly seeds: { readonly from: number; readonly to: number }
  readonly seconds: number
  readonly faults?: readonly string[]
  readonly keep?: readonly number[]
  readonly network?: number
  readonly heal?: number
  readonly joiners?: number
  readonly scenario?: string
  readonly report?: string
  readonly shrink: boolean
  readonly light?: boolean
  readonly json?: boolean
}

export function define(command: Command, io: Io): void {
  command
    .option('--nodes <n>', 'founding size, 1 to 9', foundingSize, 5)
    .addOption(
      new Option('--seeds <range>', 'one seed, or A..B').argParser(seedRange).default(seedRange('1..100'), '1..100')
    )
    .option(
      '--joiners <n>',
      'no faults: let so many machines with a join token come in, and measure it',
      wholeNumber(1)
    )
    .option('--seconds <n>', 'virtual seconds of faults in each run', wholeNumber(1), 60)
    .option('--faults <ids>', 'draw only these kinds, such as N5,P1 (docs/SIMULATION.md)', words)
    .option('--keep <places>', 'of the faults of a single seed keep only these', places)
    .option('--network <seed>', 'another fate for every frame of a single seed', wholeNumber(0))
    .option('--heal <s>', 'heal the cluster of a single seed after so many of its seconds', wholeNumber(1))
    .option('--scenario <file>', 'play a scenario file instead, - for standard input')
    .option('--report <file>', 'write a page that shows the first failing run, or the first run')
    .option('--light', 'fewer requests and fewer faults of each kind: many long runs in little time')
    .option('--no-shrink', 'do not look for fewer faults that fail as well')
    .addHelpText(
      'after',
      `
The shipped code runs in virtual time; disks, networks, clocks and processes fail as the seed says, and every invariant is
checked after every event. Exit code 1 when one is broken, or when an expectation of a scenario does not hold.
${example('quorate simulate --nodes 5 --seeds 1..100 --seconds 60\nquorate simulate --seeds 7 --report run.html\nquorate simulate --nodes 5 --joiners 95')}`
    )
    .action(async (options: SimulateOptions) => {
      if (options.scenario !== undefined) refuseBeside(command)
      const { campaign, join, scenario } = await import('../run-simulate.ts')
      if (options.scenario !== undefined) return scenario(io, options, options.scenario)
      return options.joiners === undefined ? campaign(io, options) : join(io, options, options.joiners)
    })
}

/** A scenario says all of it itself: how many machines, which seed, which faults. */
const NOT_WITH_SCENARIO = [
  'nodes',
  'seeds',
  'joiners',
  'seconds',
  'faults',
  'keep',
  'network',
  'heal',
  'light',
  'shrink'
] as const

function refuseBeside(command: Command): void {
  const given = NOT_WITH_SCENARIO.filter((name) => command.getOptionValueSource(name) === 'cli')
  if (given.length === 0) return
  const flags = given.map((name) => (name === 'shrink' ? '--no-shrink' : `--${name}`)).join(', ')
  throw new UsageError(
    `--scenario does not go with ${flags}: the file says it`,
    'Leave them out, or write `nodes 5` and `seed 7` as the first lines of the scenario.'
  )
}

const words = (text: string): readonly string[] => text.split(',').filter((word) => word !== '')
const places = (text: string): readonly number[] => (text === 'none' ? [] : words(text).map(wholeNumber(0)))

function foundingSize(text: string): number {
  const value = wholeNumber(1)(text)
  if (value > 9) throw new InvalidArgumentError('A cluster has at most 9 founders.')
  return value
}

function seedRange(text: string): { from: number; to: number } {
  const match = /^(\d{1,9})(?:\.\.(\d{1,9}))?$/.exec(text)
  const from = Number(match?.[1])
  const to = Number(match?.[2] ?? match?.[1])
  if (match === null || to < from) throw new InvalidArgumentError('It is one seed or a range such as 1..100.')
  return { from, to }
}
