/** What README and docs/PERFORMANCE.md say in numbers is what the result files say. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { fillBlocks } from '../../bench/kit/markdown.ts'
import { RESULTS } from '../../bench/kit/options.ts'

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')

describe('tables of measured values', () => {
  it.each(['README.md', 'docs/PERFORMANCE.md'])('%s has blocks, and they are those of bench/results', (path) => {
    const document = read(path)
    expect(document).toContain('<!-- bench:')
    expect(document.split('<!-- bench:').length).toBe(document.split('<!-- /bench -->').length)
    expect(fillBlocks(document, RESULTS) === document, `run: npm run bench:report`).toBe(true)
  })
})
