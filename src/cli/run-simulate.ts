/**
 * `quorate simulate`, when its options are read: a campaign over many seeds, one seed again, many machines that come together, or a
 * scenario; each with a page that shows it, when one is asked for. The simulator comes with it, so that nothing else that the command does loads it.
 */
import { stat, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  type Load,
  type Cast,
  castOfSeed,
  drawPlan,
  FAULT_IDS,
  type FaultId,
  faultText,
  Recorder,
  type ReportRun,
  reportPage,
  run,
  runCampaign,
  runJoin,
  type RunResult,
  runScenario,
  type ScenarioResult,
  shrink
} from '../simulation/index.ts'
import { ExitWith, UsageError } from './cli-errors.ts'
import type { SimulateOptions } from './commands/simulate.ts'
import { show } from './commands/shared.ts'
import { EXIT } from './exit-codes.ts'
import type { Io } from './io.ts'
import { readSource } from './sources.ts'
import { failureLines, heldLine, joinLines, pageLine, reportLines, type Teller } from './view/simulation-view.ts'

// ── Seeds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export async function campaign(io: Io, options: SimulateOptions): Promise<void> {
  const { nodes, seeds, seconds, json } = options
  const only = faultIds(options.faults)
  if (options.keep !== undefined || options.network !== undefined || options.heal !== undefined)
    return replay(io, options, await castOfSeed(nodes, seeds.from), only)
  let first: RunResult | undefined
  const report = await runCampaign({
    nodes,
    seeds,
    seconds,
    clock: io.clock,
    signal: io.interrupt,
    load: load(options),
    ...(only === undefined ? {} : { only }),
    onRun(result) {
      if (result.violation !== undefined) first ??= result
    }
  })
  const cast = await castOfSeed(nodes, first?.seed ?? seeds.from)
  const replayed = first === undefined ? undefined : smallest(options, cast, first)
  if (options.report !== undefined) {
    await writeReport(options.report, options, cast, replayed ?? { seed: seeds.from, only })
  }
  const written = await writtenLines(options.report)
  const again = replayed === undefined ? undefined : replayCommand(options, replayed)
  const told = teller(cast)
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

function smallest(options: SimulateOptions, cast: Cast, failing: RunResult): Replayed {
  const { seed } = failing
  const only = faultIds(options.faults)
  if (!options.shrink) return { seed, only, result: failing }
  const { keep, networkSeed, healAtSeconds, result } = shrink({
    cast,
    failing,
    seconds: options.seconds,
    load: load(options)
  })
  return { seed, only, result, keep, networkSeed, healAtSeconds }
}

/** One seed again, with fewer faults or another network. */
async function replay(
  io: Io,
  options: SimulateOptions,
  cast: Cast,
  only: readonly FaultId[] | undefined
): Promise<void> {
  const { seeds, keep, network, heal } = options
  const wanted = {
    seed: seeds.from,
    only,
    ...(keep === undefined ? {} : { keep }),
    ...(network === undefined ? {} : { networkSeed: network }),
    ...(heal === undefined ? {} : { healAtSeconds: heal })
  }
  const { result } = record(options, cast, wanted)
  const told = teller(cast)
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

function record(
  options: SimulateOptions,
  cast: Cast,
  wanted: Replayed
): { readonly result: RunResult; readonly recorder: Recorder } {
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
    load: load(options),
    plan: keep === undefined ? all : keep.flatMap((place) => all[place] ?? []),
    ...(networkSeed === undefined ? {} : { networkSeed })
  })
  return { result, recorder }
}

async function writeReport(path: string, options: SimulateOptions, cast: Cast, wanted: Replayed): Promise<void> {
  const { result, recorder } = record(options, cast, wanted)
  const again = replayCommand(options, wanted)
  const page: ReportRun = {
    title: `seed ${wanted.seed}, ${cast.actors.length} voters`,
    recorder,
    virtualMs: result.virtualMs,
    replay: again
  }
  await writeFile(path, reportPage(page))
}

const load = ({ light }: SimulateOptions): Load => (light === true ? 'light' : 'busy')

function replayCommand(
  { nodes, seconds, faults, light }: SimulateOptions,
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

function faultIds(ids: readonly string[] | undefined): readonly FaultId[] | undefined {
  if (ids === undefined) return undefined
  const unknown = ids.find((id) => !(FAULT_IDS as readonly string[]).includes(id))
  if (unknown !== undefined) throw new UsageError(`there is no fault ${unknown}; there are ${FAULT_IDS.join(', ')}`)
  return ids as readonly FaultId[]
}

const teller =
  (cast: Cast): Teller =>
  (fault) =>
    faultText(fault, (index) => cast.actors[index]!.name)

// ── Many machines ─────────────────────────────────────────────────────────────────────────────────────────────────────

export async function join(io: Io, options: SimulateOptions, joiners: number): Promise<void> {
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

// ── A scenario ────────────────────────────────────────────────────────────────────────────────────────────────────────

export async function scenario(io: Io, options: SimulateOptions, file: string): Promise<void> {
  const text = (await readSource(io, file, 'the scenario')).toString()
  const played = await runScenario({ text, record: options.report !== undefined })
  const { simulation, transcript, failures, expectations } = played
  const { recorder } = simulation.world
  if (options.report !== undefined && recorder !== undefined) {
    const page = reportPage({
      title: file,
      recorder,
      virtualMs: simulation.nowMs,
      failures,
      expectations,
      replay: `quorate simulate --scenario ${file}`
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

// ── The page ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function writtenLines(path: string | undefined): Promise<readonly string[]> {
  if (path === undefined) return []
  const { size } = await stat(path)
  return [pageLine(resolve(path), size)]
}
