/**
 * `npm run sim:planted`: is each planted bug found, how soon, by which invariant, and how small does it get? A process for each
 * bug, as many at once as there are cores. A seed counts only when it holds every invariant without the bug. Fails when a bug is
 * not found within `--seconds` of one core, when more faults than somebody can think about are left after shrinking, and when a
 * seed fails without any bug.
 *
 *     node test/planted/main.ts [--seconds 60] [--workers 2] [--out planted.json] [--page docs/PLANTED.md] [words of the names…]
 *
 * The page is written when all of them were searched for.
 */
import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { PLANTED, type PlantedBug } from './bugs.ts'
import { type Found, nothingFound, search } from './plant.ts'
import { page, table } from './table.ts'

const FAULTS_MAX = 6
const SEEDS_MAX = 5_000
/** Virtual seconds of one run: long enough for a chain of faults, short enough for many of them. */
const RUN_SECONDS = 12
/** Of wall time for each second of search, on a busy machine: a bug may make one run endless. */
const PATIENCE = 20

const say = (text: string): boolean => process.stdout.write(`${text}\n`)

function inChild(bug: PlantedBug, seconds: number): Promise<Found> {
  const child = fork(fileURLToPath(import.meta.url), ['--seconds', String(seconds)], {
    env: { ...process.env, PLANTED_BUG: bug.name },
    signal: AbortSignal.timeout(seconds * PATIENCE * 1_000)
  })
  return new Promise((resolve) => {
    child.once('message', (found) => resolve(found as Found))
    child.once('error', (error) => resolve(brokenSearch(bug, error.message)))
    child.once('exit', (code) => code !== 0 && resolve(brokenSearch(bug, `code ${code}`)))
  })
}

/** The copy of the sources with this bug does not even run, or for ever: that is no way to find it. */
function brokenSearch(bug: PlantedBug, how: string): Found {
  say(`the search for "${bug.name}" ended with ${how}`)
  return nothingFound(bug)
}

/** All of them, `workers` at a time, in the order of the list. */
async function searchAll(bugs: readonly PlantedBug[], workers: number, seconds: number): Promise<readonly Found[]> {
  const found: Found[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < bugs.length; at = next++) {
      const one = await inChild(bugs[at]!, seconds)
      found[at] = one
      const done = found.filter((known) => known !== undefined).length
      const after = `${one.seconds.toFixed(1)} + ${one.shrinkSeconds.toFixed(1)} s, ${one.plan.length} faults`
      say(`${String(done).padStart(3)}/${bugs.length}  ${one.invariant ?? 'MISSED'}  ${one.bug.name} (${after})`)
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return found
}

/** One sentence for each reason to fail. */
function failuresIn(found: readonly Found[], secondsMax: number): readonly string[] {
  const missed = found.filter(({ invariant, seconds }) => invariant === undefined || seconds > secondsMax)
  const large = found.filter(({ plan }) => plan.length > FAULTS_MAX)
  const unsound = found.filter(({ falseFinds }) => falseFinds.length > 0)
  return [
    ...missed.map(({ bug, seeds, seconds }) => `missed: ${bug.name} (${seeds} seeds, ${seconds.toFixed(0)} s)`),
    ...large.map(({ bug, plan }) => `${plan.length} faults are left: ${bug.name}`),
    ...unsound.map(
      ({ bug, falseFinds }) =>
        `fails without the bug as well, which is worse: seeds ${falseFinds.join(', ')} of ${bug.nodes ?? '3 or 5'}, ${bug.name}`
    )
  ]
}

async function searchOne(name: string, secondsMax: number): Promise<void> {
  const bug = PLANTED.find((one) => one.name === name)!
  process.send!(await search(bug, { seedsMax: SEEDS_MAX, secondsMax, runSeconds: RUN_SECONDS }))
}

async function main(): Promise<void> {
  const { values, positionals: words } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '60' },
      workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
      out: { type: 'string' },
      page: { type: 'string' }
    }
  })
  const seconds = Number(values.seconds)
  const only = process.env['PLANTED_BUG']
  if (only !== undefined) return searchOne(only, seconds)
  const bugs = PLANTED.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
  const found = await searchAll(bugs, Number(values.workers), seconds)
  say(`\n${table(found)}\n`)
  say(`${found.filter(({ invariant }) => invariant !== undefined).length} of ${found.length} planted bugs found`)
  const failures = failuresIn(found, seconds)
  for (const failure of failures) say(`FAILED: ${failure}`)
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(found, undefined, 2)}\n`)
  if (values.page !== undefined && bugs.length === PLANTED.length) {
    writeFileSync(values.page, await page(found, { seconds, faults: FAULTS_MAX }))
  }
  process.exitCode = failures.length > 0 ? 1 : 0
}

await main()
