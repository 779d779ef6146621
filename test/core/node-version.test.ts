import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { tooOld } from '../../src/core/node-version.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

describe('the version of Node.js', () => {
  it.each([
    ['20.20.2', true],
    ['22.11.9', true],
    ['22.12.0', false],
    ['24.0.0', false],
    ['26.1.0', false]
  ])('%s is too old: %s', (version, old) => {
    expect(tooOld(version)).toBe(old ? `quorate needs Node.js 22.12 or newer; this is v${version}` : undefined)
  })

  it('is looked at first by every entry of the library but the pure core, and is that of the manifest', () => {
    const { engines, exports, sideEffects } = JSON.parse(read('package.json')) as {
      readonly engines: { readonly node: string }
      readonly exports: Readonly<Record<string, { readonly default: string } | string>>
      readonly sideEffects: readonly string[]
    }
    expect(engines.node).toBe('>=22.12.0')
    expect(sideEffects).toEqual(['./dist/core/node-version.js'])
    const entries = Object.entries(exports).flatMap(([name, door]) =>
      typeof door === 'string' || name === './raft'
        ? []
        : [door.default.replace('./dist/', 'src/').replace('.js', '.ts')]
    )
    expect(entries).toHaveLength(4)
    for (const entry of entries) {
      const first = /^(?:import|export)\b.*$/m.exec(read(entry))?.[0]
      expect(first, entry).toMatch(/^export \{ NODE_OLDEST \} from '\.{1,2}\/core\/node-version\.ts'$/)
    }
  })
})
