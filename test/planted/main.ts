/**
 * `npm run sim:planted`: is each planted bug found, how soon, by which invariant, and how small does it get? Words on the
 * command line choose bugs by their names.
 */
import { PLANTED } from './bugs.ts'
import { search, type Found } from './plant.ts'

const FAULTS_MAX = 6
const SECONDS_MAX = 60

const say = (line: string): boolean => process.stdout.write(`${line}\n`)

function row({ bug, invariant, seeds, seconds, faults, shrinkRuns }: Found): string {
  const head = `${invariant === undefined ? 'MISSED' : 'found '} ${bug.room.padEnd(18)} ${bug.name}`
  if (invariant === undefined) return `${head}\n         not in ${seeds} seeds and ${seconds.toFixed(1)} s`
  const few = faults.length === 0 ? 'no fault at all' : `${faults.length} faults: ${faults.join('; ')}`
  return `${head}\n         ${invariant} after ${seeds} seeds, ${seconds.toFixed(1)} s with ${shrinkRuns} runs to shrink; ${few}`
}

const words = process.argv.slice(2)
const wanted = PLANTED.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
const missed: string[] = []
const large: string[] = []
for (const bug of wanted) {
  const found = await search(bug, { seedsMax: 3_000, secondsMax: SECONDS_MAX, runSeconds: 12 })
  say(row(found))
  if (found.invariant === undefined) missed.push(bug.name)
  else if (found.faults.length > FAULTS_MAX) large.push(bug.name)
}
say(
  `\n${wanted.length - missed.length} of ${wanted.length} planted bugs found; ${large.length} with more than ${FAULTS_MAX} faults left`
)
if (missed.length > 0) say(`missed: ${missed.join('; ')}`)
process.exitCode = missed.length + large.length > 0 ? 1 : 0
