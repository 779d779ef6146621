/**
 * Draws every plot anew and fills the tables of README.md and docs/PERFORMANCE.md from `bench/results`: `node bench/report.ts`.
 * `--check` changes nothing and ends with code 1 when a document says something else than the results.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fillBlocks } from './kit/markdown.ts'
import { RESULTS } from './kit/options.ts'
import { drawPlots, plotNames } from './kit/plots.ts'

const check = process.argv.includes('--check')
for (const name of ['README.md', 'docs/PERFORMANCE.md']) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const before = readFileSync(path, 'utf8')
  const after = fillBlocks(before, RESULTS)
  if (after === before) continue
  if (check) process.exitCode = 1
  else writeFileSync(path, after)
  console.log(`${name} ${check ? 'differs from' : 'filled from'} bench/results`)
}
if (!check) for (const name of plotNames) for (const path of drawPlots(RESULTS, name)) console.log(path)
