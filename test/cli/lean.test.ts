/**
 * What `up` asks of V8 for its sake, seen by what V8 then does. A flag that this Node.js does not know is only said on standard
 * error, and one that has lost its effect nowhere, so each is looked at: beside a process that asks for nothing.
 * `npm run test:package` asks every supported Node.js.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { becomeLean } from '../../src/cli/lean.ts'
import { mayStall } from '../../src/cli/run-up.ts'
import type { TimingPreset } from '../../src/config-init/index.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { NodeStatus } from '../../src/node/types.ts'
import { manualClock } from '../transport/manual-clock.ts'
import type { Habits } from './lean-child.ts'

const CHILD = fileURLToPath(new URL('lean-child.ts', import.meta.url))
const FLAGS = [
  '--expose-gc',
  '--allow-natives-syntax',
  '--stress-flush-code',
  '--experimental-strip-types',
  '--no-warnings'
]

async function after(...words: readonly ('litter' | 'settle' | 'lean' | 'rest' | 'wake')[]): Promise<Habits> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...FLAGS, CHILD, ...words], {
    env: { ...process.env, NODE_OPTIONS: '' }
  })
  // Here V8 names a flag that it does not know.
  expect(stderr).toBe('')
  return JSON.parse(stdout) as Habits
}

describe('a process that runs for months', () => {
  it('keeps a small space for new objects and what it has compiled, and gives back what a start leaves', async () => {
    const [usual, settled, littered, lean] = await Promise.all([
      after(),
      after('settle'),
      after('litter', 'settle'),
      after('litter', 'settle', 'lean')
    ])
    expect(settled.newSpaceBytes).toBeLessThanOrEqual(usual.newSpaceBytes / 2)
    expect(usual.keptBytes).toBeLessThan(usual.ranBytes / 10)
    for (const mindful of [settled, lean]) expect(mindful.keptBytes).toBeGreaterThan(mindful.ranBytes * 0.9)
    expect(littered.heapBytes[1]).toBeGreaterThan(littered.heapBytes[0] * 0.9)
    expect(lean.heapBytes[1]).toBeLessThan(lean.heapBytes[0] / 2)
  })

  it('may settle twice', async () => {
    const [once, twice] = await Promise.all([after('settle'), after('settle', 'settle')])
    expect(twice.newSpaceBytes).toBeLessThanOrEqual(2 * once.newSpaceBytes)
    expect(twice.keptBytes).toBeGreaterThan(once.ranBytes * 0.9)
  })

  it('interprets what runs while its compilers rest, and not when they are awake again', async () => {
    const [usual, resting, awake] = await Promise.all([
      after('settle'),
      after('settle', 'rest', 'rest'),
      after('settle', 'rest', 'wake')
    ])
    expect([usual, resting, awake].map(({ interprets }) => interprets)).toEqual([false, true, false])
  })

  it('waits with what stalls it until that does no harm', async () => {
    const clock = manualClock()
    const end = new AbortController()
    const askedAt: number[] = []
    const lean = becomeLean(clock, end.signal, () => askedAt.push(clock.now()) === 3)
    const settled = lean.then(() => clock.now())
    for (let i = 0; i < 120; i++) {
      clock.advance(100)
      await turn()
    }
    expect(askedAt).toEqual([100, 5_100, 10_100])
    expect(await settled).toBeGreaterThanOrEqual(10_100)
  })

  it('stalls at any time, except as a leader whose followers are in a hurry', () => {
    const node = (leader: string, timing: TimingPreset) => ({
      peerId: 'me',
      status: () => ({ leader, timing }) as unknown as NodeStatus
    })
    expect((['fast', 'lan', 'wan', 'edge'] as const).map((timing) => mayStall(node('me', timing)))).toEqual([
      false,
      true,
      true,
      true
    ])
    expect(mayStall(node('another', 'fast'))).toBe(true)
  })

  it('that ends before it is lean is left alone', async () => {
    const ending = AbortSignal.abort(new Error('it ends'))
    await expect(becomeLean(systemClock, ending, () => true)).rejects.toThrow('it ends')
  })
})
