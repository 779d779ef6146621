/**
 * What `up` asks of V8 for its sake, seen by what V8 then does. A flag that this Node.js does not know is only said on standard
 * error, and one that has lost its effect nowhere, so each is looked at: beside a process that asks for nothing.
 * `npm run test:package` asks every supported Node.js.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Habits } from './lean-child.ts'

const CHILD = fileURLToPath(new URL('lean-child.ts', import.meta.url))
const FLAGS = [
  '--expose-gc',
  '--allow-natives-syntax',
  '--stress-flush-code',
  '--experimental-strip-types',
  '--no-warnings'
]

let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-lean-'))
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

async function after(...words: readonly ('begin' | 'settle' | 'rest' | 'wake')[]): Promise<Habits> {
  const cache = join(directory, words.join('-') || 'nothing')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...FLAGS, CHILD, ...words], {
    env: { ...process.env, NODE_COMPILE_CACHE: cache, NODE_OPTIONS: '' }
  })
  // Here V8 names a flag that it does not know.
  expect(stderr).toBe('')
  return JSON.parse(stdout) as Habits
}

describe('a process that runs for months', () => {
  it('begins with whole compilation and a small space for new objects, and settles with neither undone nor in the way', async () => {
    const [usual, begun, settled] = await Promise.all([after(), after('begin'), after('begin', 'settle')])
    expect(begun.uncalledBytes).toBeGreaterThan(3 * usual.uncalledBytes)
    expect(settled.uncalledBytes).toBe(usual.uncalledBytes)
    for (const lean of [begun, settled]) expect(lean.newSpaceBytes).toBeLessThanOrEqual(usual.newSpaceBytes / 2)
    for (const forgetful of [usual, begun]) expect(forgetful.keptBytes).toBeLessThan(forgetful.ranBytes / 10)
    expect(settled.keptBytes).toBeGreaterThan(settled.ranBytes * 0.9)
    // What else is compiled is written when a process ends in order; one that is killed has left it, too.
    expect([usual.cached, begun.cached]).toEqual([0, 0])
    expect(settled.cached).toBeGreaterThan(0)
  })

  it('may settle twice, and before it has begun', async () => {
    const [once, twice, early] = await Promise.all([
      after('begin', 'settle'),
      after('begin', 'settle', 'settle'),
      after('settle', 'begin', 'settle')
    ])
    for (const again of [twice, early]) {
      expect(again).toEqual({
        ...once,
        newSpaceBytes: expect.toSatisfy((bytes: number) => bytes <= 2 * once.newSpaceBytes) as unknown,
        ranBytes: expect.any(Number) as unknown,
        keptBytes: expect.toSatisfy((bytes: number) => bytes > once.ranBytes * 0.9) as unknown
      })
    }
  })

  it('interprets what runs while its compilers rest, and not when they are awake again', async () => {
    const [usual, resting, awake] = await Promise.all([
      after('begin', 'settle'),
      after('begin', 'settle', 'rest', 'rest'),
      after('begin', 'settle', 'rest', 'wake')
    ])
    expect([usual, resting, awake].map(({ interprets }) => interprets)).toEqual([false, true, false])
  })
})
