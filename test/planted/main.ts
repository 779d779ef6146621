/**
 * `npm run sim:planted`: is each planted bug found, how soon, by which invariant, and how small does it get? A process for each
 * bug, as many at once as there are cores. A seed counts only when it holds every invariant without the bug. Fails when a bug is
 * missed within `--seconds` of one core, when more faults than somebody can think about are left after shrinking, and when a
 * seed fails without any bug.
 *
 *     node test/planted/main.ts [--seconds 60] [--workers 2] [--out planted.json] [words of the names…]
 */
import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { PLANTED, type PlantedBug } from './bugs.ts'
import { search, type Found } from './plant.ts'
import { table } from './table.ts'

const FAULTS_MAX = 6
const SEEDS_MAX = 5_000
/** Virtual seconds of one run: long enough for a chain of faults, short enough for many of them. */
const RUN_SECONDS = 12

const say = (text: string): boolean => process.stdout.write(`${text}\n`)

function inChild(bug: PlantedBug, seconds: string): Promise<Found> {
  const child = fork(fileURLToPath(import.meta.url), ['--seconds', seconds], {
    env: { ...process.env, PLANTED_BUG: bug.name }
  })
  return new Promise((resolve) => {
    child.once('message', (found) => resolve(found as Found))
    child.once('exit', (code) => code !== 0 && resolve(brokenSearch(bug, code)))
  })
}

/** The copy of the sources with this bug does not even run: that is no way to find it. */
function brokenSearch(bug: PlantedBug, code: number | null): Found {
  say(`the search for "${bug.name}" ended with ${code}`)
  return { bug, invariant: undefined, seed: 0, seeds: 0, seconds: 0, faults: [], shrinkRuns: 0, falseFinds: [] }
}

/** All of them, `workers` at a time, in the order of the list. */
async function searchAll(bugs: readonly PlantedBug[], workers: number, seconds: string): Promise<readonly Found[]> {
  const found: Found[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < bugs.length; at = next++) {
      const one = await inChild(bugs[at]!, seconds)
      found[at] = one
      const done = found.filter((known) => known !== undefined).length
      say(`${String(done).padStart(3)}/${bugs.length}  ${one.invariant ?? 'MISSED'}  ${one.bug.name}`)
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return found
}

const isLarge = ({ faults }: Found): boolean => faults.length > FAULTS_MAX

async function main(): Promise<void> {
  const { values, positionals: words } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '60' },
      workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
      out: { type: 'string' }
    }
  })
  const only = process.env['PLANTED_BUG']
  if (only !== undefined) {
    const bug = PLANTED.find(({ name }) => name === only)!
    process.send!(
      await search(bug, { seedsMax: SEEDS_MAX, secondsMax: Number(values.seconds), runSeconds: RUN_SECONDS })
    )
    return
  }
  const bugs = PLANTED.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
  const found = await searchAll(bugs, Number(values.workers), values.seconds)
  const missed = found.filter(({ invariant }) => invariant === undefined)
  const large = found.filter(isLarge)
  const unsound = found.filter(({ falseFinds }) => falseFinds.length > 0)
  say(`\n${table(found)}\n`)
  say(
    `${found.length - missed.length} of ${found.length} planted bugs found; ${large.length} with more than ${FAULTS_MAX} faults left`
  )
  for (const { bug } of missed) say(`missed: ${bug.name}`)
  for (const { bug, falseFinds } of unsound) {
    say(
      `fails without the bug as well, which is worse: seeds ${falseFinds.join(', ')} (${bug.nodes ?? '3 or 5'} nodes)`
    )
  }
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(found, undefined, 2)}\n`)
  process.exitCode = missed.length + large.length + unsound.length > 0 ? 1 : 0
}

await main()
