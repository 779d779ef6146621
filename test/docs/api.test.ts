/** docs/API.md is what the sources say: every name of every entry, with its comment, and every event with its fields. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { apiPage } from '../../scripts/api-page.ts'
import * as conformance from '../../src/conformance/index.ts'
import * as library from '../../src/index.ts'
import * as raft from '../../src/raft/index.ts'
import * as simulation from '../../src/simulation/index.ts'
import * as testing from '../../src/testing/index.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = read('docs/API.md')

describe('docs/API.md', () => {
  it('is what `npm run docs:api` writes', async () => {
    expect(await apiPage()).toBe(page)
  })

  it('has every value that an entry exports, and nothing half cut', () => {
    for (const [entry, exported] of Object.entries({ library, testing, simulation, conformance, raft })) {
      for (const name of Object.keys(exported)) {
        const isThere = page.includes(`### ${name}\n`) || page.includes(`| \`${name}\``) || name === 'NODE_OLDEST'
        expect(isThere, `${entry}: ${name}`).toBe(true)
      }
    }
    const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!.trim())
    expect(blocks.length).toBeGreaterThan(80)
    for (const code of blocks) {
      expect(code).not.toMatch(/[=({[,]$/)
      expect(code).not.toMatch(/^\s+#/m)
    }
  })

  it('has every error with its code and what to do next', () => {
    const errors = Object.keys(library).filter((name) => name.endsWith('Error') && name !== 'QuorateError')
    expect(errors.length).toBeGreaterThan(20)
    for (const name of errors)
      expect(page).toMatch(new RegExp(`\\| \`${name}\` +\\| \`ERR_[A-Z_]+\` +\\| [A-Z].* \\| \\S.*\\|`))
  })

  it('has every event', () => {
    const events = [...read('src/observability/events.ts').matchAll(/readonly event: '([a-z-]+)'/g)].map(
      ([, name]) => name!
    )
    expect(events.length).toBeGreaterThan(8)
    const block = page.slice(page.indexOf('### NodeEvent\n'), page.indexOf('### NodeEventName'))
    for (const name of events) expect(block).toContain(`readonly event: '${name}'`)
  })
})
