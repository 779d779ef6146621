/** Which entry of the log means what, and what is reported of it. */
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import type { Entry } from '../../src/raft/types.ts'
import { StateMachine } from '../../src/replica/state-machine.ts'
import { anyConfig, encodeCommand } from '../../src/replicated-config/index.ts'

const TEXT = '{"limit":1}'

const noop = (index: number, data: string): Entry => ({ index, term: 1, type: 'noop', data: utf8(data) })

const command = (index: number, requestId: string): Entry => ({
  index,
  term: 1,
  type: 'command',
  data: encodeCommand({ kind: 'config-set', requestId, author: 'p1', at: 0, reason: 'why', text: '{"limit":2}' })
})

const ID = '0'.repeat(32)

describe('the state machine', () => {
  it('has no config before the first entry, and the genesis’ own after it', () => {
    const machine = new StateMachine(TEXT, anyConfig)
    expect(machine.state).toBeUndefined()
    expect(machine.apply(noop(1, TEXT)).events).toMatchObject([{ type: 'config', version: 1, author: 'genesis' }])
    expect(machine.apply(noop(2, '')).events).toEqual([])
    expect(machine.state?.current.version).toBe(1)
  })

  it('keeps the config of the genesis, and raises an alarm, when the first entry carries another', () => {
    const machine = new StateMachine(TEXT, anyConfig)
    const { events } = machine.apply(noop(1, '{"limit":9}'))
    expect(events).toMatchObject([
      { type: 'alarm', code: 'initial-config-differs' },
      { type: 'config', version: 1 }
    ])
    expect(machine.state?.current.text).toBe(TEXT)
  })

  it('applies nothing before the initial config, and says so', () => {
    const machine = new StateMachine(TEXT, anyConfig)
    expect(machine.apply(command(1, ID))).toMatchObject({ events: [{ type: 'alarm', code: 'log-order' }] })
    expect(machine.state).toBeUndefined()
  })

  it('reports a version once: a repeated request gets its first answer and is no news', () => {
    const machine = new StateMachine(TEXT, anyConfig)
    machine.apply(noop(1, TEXT))
    const first = machine.apply(command(2, ID))
    expect(first.events).toMatchObject([{ type: 'config', version: 2, reason: 'why' }])
    expect(machine.apply(command(3, ID))).toEqual({ events: [], answer: first.answer })
    expect(machine.state?.current.version).toBe(2)
  })
})
