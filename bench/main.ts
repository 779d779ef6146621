/**
 * All parts, one after the other, and then the documents: `npm run bench`. About 25 minutes on a quiet machine with two cores.
 * `--quick`: a few rounds of everything, in about four, to see that it works. `--steady` adds the two times ten minutes
 * in which nothing may happen. `--only election,paper`: these parts. `--force`, `--seed` and `--out` go to the parts.
 *
 * A part that fails, or refuses to report, does not keep the others from running; the end names it, and the code is 1.
 */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { EXIT_BUSY } from './kit/report.ts'

/** The short ones first, so that one learns early that something is wrong. `storage` is left out: it is about one disk. */
const PARTS = ['core', 'resources', 'formation', 'commit', 'trace', 'compare', 'wan', 'paper', 'election'] as const

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string' },
    minutes: { type: 'string' },
    quick: { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    steady: { type: 'boolean', default: false }
  }
})
const { only, seed, out, minutes, quick, force, steady } = values
const parts = only?.split(',') ?? [...PARTS, ...(steady ? ['steady'] : [])]
const words = [
  ...(quick ? ['--quick'] : []),
  ...(force ? ['--force'] : []),
  ...(seed === undefined ? [] : ['--seed', seed]),
  ...(out === undefined ? [] : ['--out', resolve(out)])
]

const file = (name: string): string => fileURLToPath(new URL(`${name}.ts`, import.meta.url))
const run = (args: readonly string[]): number | null => spawnSync(process.execPath, args, { stdio: 'inherit' }).status

const failed: string[] = []
for (const part of parts) {
  const more = part === 'steady' && minutes !== undefined ? ['--minutes', minutes] : []
  const at = performance.now()
  const status = run([...(part === 'core' ? ['--expose-gc'] : []), file(part), ...words, ...more])
  console.error(`${part}: ${Math.round((performance.now() - at) / 1000)} s`)
  if (status !== 0) failed.push(status === EXIT_BUSY ? `${part} (machine busy)` : part)
}
// Results that were put elsewhere are not for the documents.
if (out === undefined) run([file('report')])
if (failed.length > 0) {
  console.error(`not reported: ${failed.join(', ')}`)
  process.exitCode = 1
}
