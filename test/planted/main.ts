/**
 * `npm run sim:planted`: is each planted bug found, how soon, by which invariant, and how small does it get? Words on the
 * command line choose bugs by their names, `--seconds 20` searches for less than a minute, `--part 1/2` takes every second bug.
 */
import { parseArgs } from 'node:util'
import { PLANTED } from './bugs.ts'
import { search, type Found } from './plant.ts'

const FAULTS_MAX = 6

const say = (line: string): boolean => process.stdout.write(`${line}\n`)

function row({ bug, invariant, seeds, seconds, faults, shrinkRuns }: Found): string {
  const head = `${invariant === undefined ? 'MISSED' : 'found '} ${bug.room.padEnd(18)} ${bug.name}`
  if (invariant === undefined) return `${head}\n         not in ${seeds} seeds and ${seconds.toFixed(1)} s`
  const few = faults.length === 0 ? 'no fault at all' : `${faults.length} faults: ${faults.join('; ')}`
  return `${head}\n         ${invariant} after ${seeds} seeds, ${seconds.toFixed(1)} s with ${shrinkRuns} runs to shrink; ${few}`
}

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, part: { type: 'string', default: '1/1' } }
})
const [part, parts] = values.part.split('/').map(Number) as [number, number]
const wanted = PLANTED.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word))).filter(
  (_, i) => i % parts === part - 1
)
const missed: string[] = []
const large: string[] = []
for (const bug of wanted) {
  const found = await search(bug, { seedsMax: 3_000, secondsMax: Number(values.seconds), runSeconds: 12 })
  say(row(found))
  if (found.invariant === undefined) missed.push(bug.name)
  else if (found.faults.length > FAULTS_MAX) large.push(bug.name)
}
say(
  `\n${wanted.length - missed.length} of ${wanted.length} planted bugs found; ${large.length} with more than ${FAULTS_MAX} faults left`
)
if (missed.length > 0) say(`missed: ${missed.join('; ')}`)
process.exitCode = missed.length + large.length > 0 ? 1 : 0
