/** `quorate simulate`: many simulated clusters under faults, one seed again, or a scenario file; and a picture of a run. */
import { stat, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type {
  CallerLoad,
  CampaignReport,
  Cast,
  FaultId,
  JoinReport,
  Recorder,
  ReportRun,
  RunResult,
  ScenarioResult
} from '../../simulation/index.ts'
import { ExitWith, UsageError } from '../cli-errors.ts'
import { EXIT } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import { readSource } from '../sources.ts'
import type { Style } from '../view/style.ts'
import { plural } from '../view/text.ts'
import { example, show, wholeNumber } from './shared.ts'

interface Options {
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
    .option('--light', 'callers ask for less: many seeds in little time')
    .option('--no-shrink', 'do not look for fewer faults that fail as well')
    .addHelpText(
      'after',
      `
The shipped code runs in virtual time; disks, networks, clocks and processes fail as the seed says, and every invariant is
checked after every event. Exit code 1 when one is broken, or when an expectation of a scenario does not hold.
${example('quorate simulate --nodes 5 --seeds 1..100 --seconds 60\nquorate simulate --seeds 7 --report run.html\nquorate simulate --nodes 5 --joiners 95')}`
    )
    .action((options: Options) => {
      if (options.scenario !== undefined) {
        refuseBeside(command)
        return scenario(io, options)
      }
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

// ── Seeds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function campaign(io: Io, options: Options): Promise<void> {
  const { castOfSeed, runCampaign } = await import('../../simulation/index.ts')
  const { nodes, seeds, seconds, json } = options
  const only = await faultIds(options.faults)
  if (options.keep !== undefined || options.network !== undefined || options.heal !== undefined)
    return replay(io, options, await castOfSeed(nodes, seeds.from), only)
  let first: RunResult | undefined
  const report = await runCampaign({
    nodes,
    seeds,
    seconds,
    clock: io.clock,
    signal: io.interrupt,
    callers: load(options),
    ...(only === undefined ? {} : { only }),
    onRun(result) {
      if (result.violation !== undefined) first ??= result
    }
  })
  const cast = await castOfSeed(nodes, first?.seed ?? seeds.from)
  const replayed = first === undefined ? undefined : await smallest(options, cast, first)
  if (options.report !== undefined) {
    await writeReport(options.report, options, cast, replayed ?? { seed: seeds.from, only })
  }
  const written = await writtenLines(options.report)
  const again = replayed === undefined ? undefined : replayCommand(options, replayed)
  const told = await teller(cast)
  show(io, json, { ...report, ...(again === undefined ? {} : { replay: again }) }, (style) => [
    ...reportLines(report, style),
    ...failureLines(told, replayed, again, style, options.report),
    ...written
  ])
  if (report.violations.length > 0) throw new ExitWith(EXIT.bug)
}

interface Replayed {
  readonly seed: number
  readonly only?: readonly FaultId[] | undefined
  readonly result?: RunResult
  readonly keep?: readonly number[]
  readonly networkSeed?: number
  readonly healAtSeconds?: number
}

async function smallest(options: Options, cast: Cast, failing: RunResult): Promise<Replayed> {
  const { seed } = failing
  const only = await faultIds(options.faults)
  if (!options.shrink) return { seed, only, result: failing }
  const { shrink } = await import('../../simulation/index.ts')
  const { keep, networkSeed, healAtSeconds, result } = shrink({
    cast,
    failing,
    seconds: options.seconds,
    callers: load(options)
  })
  return { seed, only, result, keep, networkSeed, healAtSeconds }
}

/** One seed again, with fewer faults or another network. */
async function replay(io: Io, options: Options, cast: Cast, only: readonly FaultId[] | undefined): Promise<void> {
  const { seeds, keep, network, heal } = options
  const wanted = {
    seed: seeds.from,
    only,
    ...(keep === undefined ? {} : { keep }),
    ...(network === undefined ? {} : { networkSeed: network }),
    ...(heal === undefined ? {} : { healAtSeconds: heal })
  }
  const { result } = await record(options, cast, wanted)
  const told = await teller(cast)
  if (options.report !== undefined) await writeReport(options.report, options, cast, wanted)
  const written = await writtenLines(options.report)
  show(io, options.json, { nodes: options.nodes, seeds: 1, ...result }, (style) => [
    ...(result.violation === undefined
      ? [`${style.symbols.done} seed ${wanted.seed} holds every invariant`]
      : failureLines(told, { ...wanted, result }, undefined, style, options.report)),
    ...written
  ])
  if (result.violation !== undefined) throw new ExitWith(EXIT.bug)
}

async function record(
  options: Options,
  cast: Cast,
  wanted: Replayed
): Promise<{ readonly result: RunResult; readonly recorder: Recorder }> {
  const { drawPlan, Recorder, run } = await import('../../simulation/index.ts')
  const { seconds } = options
  const { seed, only, keep, networkSeed, healAtSeconds } = wanted
  // The plan is drawn for the whole length, whatever is left of it: a fault keeps its place.
  const all = drawPlan({
    seed,
    size: cast.actors.length,
    spanMs: seconds * 1_000,
    ...(only === undefined ? {} : { only })
  })
  const recorder = new Recorder()
  const result = run({
    cast,
    seed,
    seconds,
    ...(healAtSeconds === undefined ? {} : { healAtSeconds }),
    recorder,
    callers: load(options),
    plan: keep === undefined ? all : keep.flatMap((place) => all[place] ?? []),
    ...(networkSeed === undefined ? {} : { networkSeed })
  })
  return { result, recorder }
}

async function writeReport(path: string, options: Options, cast: Cast, wanted: Replayed): Promise<void> {
  const { reportPage } = await import('../../simulation/index.ts')
  const { result, recorder } = await record(options, cast, wanted)
  const again = replayCommand(options, wanted)
  const run: ReportRun = {
    title: `seed ${wanted.seed}, ${cast.actors.length} voters`,
    recorder,
    virtualMs: result.virtualMs,
    replay: again
  }
  await writeFile(path, reportPage(run))
}

/** Where the page is, and how large it has become. */
async function writtenLines(path: string | undefined): Promise<readonly string[]> {
  if (path === undefined) return []
  const { size } = await stat(path)
  return [`the page of it: ${resolve(path)} (${whole(size / 1_024)} KiB)`]
}

const load = ({ light }: Options): CallerLoad => (light === true ? 'light' : 'busy')

function replayCommand(
  { nodes, seconds, faults, light }: Options,
  { seed, keep, networkSeed, healAtSeconds }: Replayed
): string {
  const parts = [`quorate simulate --nodes ${nodes} --seeds ${seed} --seconds ${seconds}`]
  if (light === true) parts.push('--light')
  if (faults !== undefined) parts.push(`--faults ${faults.join(',')}`)
  if (keep !== undefined) parts.push(`--keep ${keep.length === 0 ? 'none' : keep.join(',')}`)
  if (networkSeed !== undefined && networkSeed !== seed) parts.push(`--network ${networkSeed}`)
  if (healAtSeconds !== undefined && healAtSeconds !== seconds) parts.push(`--heal ${healAtSeconds}`)
  return parts.join(' ')
}

// ── Many machines ─────────────────────────────────────────────────────────────────────────────────────────────────────

async function join(io: Io, options: Options, joiners: number): Promise<void> {
  const { reportPage, runJoin } = await import('../../simulation/index.ts')
  const { nodes: founders, seeds, report: file, json } = options
  const { report, simulation } = await runJoin({ founders, joiners, seed: seeds.from, record: file !== undefined })
  const heapBytes = process.memoryUsage().heapUsed
  if (file !== undefined) {
    const { recorder } = simulation.world
    const again = `quorate simulate --nodes ${founders} --joiners ${joiners} --seeds ${seeds.from}`
    const title = `${report.machines} machines come together`
    await writeFile(file, reportPage({ title, recorder: recorder!, virtualMs: simulation.nowMs, replay: again }))
  }
  const written = await writtenLines(file)
  show(io, json, { ...report, heapBytes }, (style) => [...joinLines(report, heapBytes, style), ...written])
  if (report.violations.length > 0 || report.joinedMs === undefined) throw new ExitWith(EXIT.bug)
}

const seconds = (ms: number | undefined): string => (ms === undefined ? 'never' : `${(ms / 1_000).toFixed(1)} s`)

function joinLines(report: JoinReport, heapBytes: number, { bold, dim, green, red, symbols }: Style): string[] {
  const { machines, founders, joinedMs, formedMs, timeline } = report
  const every = Math.max(1, Math.ceil(timeline.length / 20))
  const rows = timeline.filter((_, i) => i % every === every - 1 || i === timeline.length - 1)
  return [
    bold(
      joinedMs === undefined
        ? red(`${symbols.failed} not all of ${machines} machines joined`)
        : green(`${symbols.done} ${machines} machines are members and hold the config after ${seconds(joinedMs)}`)
    ),
    `  ${founders} founders formed after ${seconds(formedMs)}`,
    `  ${whole(report.connections)} connections: the median machine has ${report.connectionsMedian}, the busiest ${report.connectionsMost}`,
    `  ${whole(report.frames)} frames, ${whole(report.frameBytes / 1_024)} KiB; the log takes ${whole(report.logBytes / 1_024)} KiB on each machine`,
    `  in the quiet ${whole(report.framesPerSecond)} frames a second, ${whole(report.leaderFramesPerSecond)} of them at the leader`,
    `  ${whole(heapBytes / machines / 1_024)} KiB of memory for each machine`,
    dim('  virtual time   members   with config   connections'),
    ...rows.map(({ atMs, members, configured, connections }) =>
      dim(
        `  ${seconds(atMs).padStart(12)} ${String(members).padStart(9)} ${String(configured).padStart(13)} ${String(connections).padStart(13)}`
      )
    )
  ]
}

// ── A scenario ────────────────────────────────────────────────────────────────────────────────────────────────────────

async function scenario(io: Io, options: Options): Promise<void> {
  const { reportPage, runScenario } = await import('../../simulation/index.ts')
  const text = (await readSource(io, options.scenario!, 'the scenario')).toString()
  const played = await runScenario({ text, record: options.report !== undefined })
  const { simulation, transcript, failures, expectations } = played
  const { recorder } = simulation.world
  if (options.report !== undefined && recorder !== undefined) {
    const page = reportPage({
      title: options.scenario!,
      recorder,
      virtualMs: simulation.nowMs,
      failures,
      expectations,
      replay: `quorate simulate --scenario ${options.scenario!}`
    })
    await writeFile(options.report, page)
  }
  const hasFailed = failures.length > 0 || unexpected(played, text)
  const written = await writtenLines(options.report)
  show(io, options.json, scenarioJson(played), (style) => [
    transcript.trimEnd(),
    ...failures.map(
      ({ line, text: expected, instead }) =>
        `${style.symbols.failed} line ${line}: ${expected} does not hold: ${instead}`
    ),
    ...(hasFailed ? [] : [heldLine(expectations, simulation.nowMs, style)]),
    ...written
  ])
  if (hasFailed) throw new ExitWith(EXIT.bug)
}

function heldLine(expectations: number, virtualMs: number, { green, symbols }: Style): string {
  const also =
    expectations === 0
      ? ''
      : `, and so did ${expectations === 1 ? 'the expectation' : `all ${expectations} expectations`}`
  return green(`${symbols.done} every invariant held for ${seconds(virtualMs)} of cluster time${also}`)
}

/** A violation that the scenario names is what it is about. */
const unexpected = ({ simulation }: ScenarioResult, text: string): boolean =>
  simulation.violations.some(({ invariant }) => !text.includes(`expect violation ${invariant}`))

function scenarioJson({ simulation, transcript, failures }: ScenarioResult): object {
  const { world } = simulation
  return {
    nodes: world.founders.length,
    seeds: 1,
    violations: simulation.violations.map((violation) => ({ seed: world.seed, ...violation })),
    virtualSeconds: simulation.nowMs / 1_000,
    events: world.events,
    elections: world.elections,
    faults: world.faults,
    traceHash: world.traceHash.toString(16),
    failures,
    transcript
  }
}

// ── Words for people ──────────────────────────────────────────────────────────────────────────────────────────────────

const whole = (value: number): string => Math.round(value).toLocaleString('en')

function reportLines(report: CampaignReport, { bold, dim, green, red, symbols }: Style): string[] {
  const { violations, recoveryMs, virtualSeconds, wallSeconds, faults, notFired } = report
  const verdict =
    violations.length === 0
      ? green(`${symbols.done} every invariant held in ${plural(report.seeds, 'run')}`)
      : red(`${symbols.failed} ${violations.length} of ${plural(report.seeds, 'run')} broke an invariant`)
  const fired = Object.entries(faults).map(([id, count]) => `${id} ${count}`)
  return [
    bold(verdict),
    `  ${report.nodes} voters, ${whole(virtualSeconds)} s of cluster time in ${wallSeconds.toFixed(1)} s (${whole(virtualSeconds / Math.max(wallSeconds, 1e-9))} : 1)`,
    `  ${whole(report.events)} events, ${whole(report.frames)} frames, ${whole(report.elections)} elections, ${whole(report.commits)} commits`,
    ...(recoveryMs === undefined
      ? []
      : [
          `  back to work after healing: half within ${recoveryMs.p50.toFixed(0)} ms, 99 % within ${recoveryMs.p99.toFixed(0)} ms, all within ${recoveryMs.max.toFixed(0)} ms`
        ]),
    ...(report.beyondBudget === 0
      ? []
      : [`  ${plural(report.beyondBudget, 'run')} lost more than any promise covers: checked for safety only`]),
    `  ${dim(`faults ${fired.join(', ') || 'none'}`)}`,
    ...(notFired.length === 0 ? [] : [`  ${dim(`never fired: ${notFired.join(', ')}`)}`]),
    `  ${dim(`trace ${report.traceHash.slice(0, 16)}`)}`
  ]
}

type Teller = (fault: RunResult['plan'][number]) => string

async function teller(cast: Cast): Promise<Teller> {
  const { faultText } = await import('../../simulation/index.ts')
  return (fault) => faultText(fault, (index) => cast.actors[index]!.name)
}

function failureLines(
  told: Teller,
  replayed: Replayed | undefined,
  again: string | undefined,
  { bold, red, dim }: Style,
  report: string | undefined
): string[] {
  const violation = replayed?.result?.violation
  if (replayed?.result === undefined || violation === undefined) return []
  return [
    '',
    `${red(bold(violation.invariant))} in seed ${replayed.seed} after ${violation.atMs.toFixed(3)} ms: ${violation.node} ${violation.detail}`,
    ...replayed.result.plan.map((fault) => `  ${told(fault)}`),
    ...(again === undefined ? [] : [`replay: ${bold(again)}`]),
    ...(report === undefined ? [dim('see it: add --report run.html')] : [])
  ]
}

// ── Options ───────────────────────────────────────────────────────────────────────────────────────────────────────────

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

async function faultIds(ids: readonly string[] | undefined): Promise<readonly FaultId[] | undefined> {
  if (ids === undefined) return undefined
  const { FAULT_IDS } = await import('../../simulation/index.ts')
  const unknown = ids.find((id) => !(FAULT_IDS as readonly string[]).includes(id))
  if (unknown !== undefined) throw new UsageError(`there is no fault ${unknown}; there are ${FAULT_IDS.join(', ')}`)
  return ids as readonly FaultId[]
}
