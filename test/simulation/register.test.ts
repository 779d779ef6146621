/** What the simulator's oracle says of callers' answers is what a search over all orders says. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VersionedRegister } from '../../src/simulation/oracle/register.ts'
import { checkLinearizable, type HistoryEvent } from '../linearizability/checker.ts'
import { configRegister, type RegisterCommand, type RegisterResult } from '../linearizability/config-register.ts'

type Event = HistoryEvent<RegisterCommand, RegisterResult>
const initial = { version: 1, value: 0 }

function problemIn(events: readonly Event[]): string | undefined {
  const register = new VersionedRegister<number>(initial)
  for (const event of events) {
    if (event.type === 'call') register.asked(String(event.id), event.command)
    else {
      const problem = register.answered(String(event.id), event.result)
      if (problem !== undefined) return problem
    }
  }
  const missing = register.unexplained()
  return missing.length === 0 ? undefined : `nobody wrote ${missing.join()}`
}

const call = (id: number, command: RegisterCommand): Event => ({ type: 'call', id, command })
const back = (id: number, result: RegisterResult): Event => ({ type: 'return', id, result })

describe('the register of the oracle', () => {
  /** Operations take effect at some moment of theirs; then some answers are falsified. Values are asked for once. */
  const operation = fc.record({
    kind: fc.constantFrom('read', 'set', 'compare-and-set'),
    ifVersion: fc.integer({ min: 1, max: 3 }),
    from: fc.nat({ max: 20 }),
    takes: fc.nat({ max: 16 }),
    wrong: fc.constantFrom(0, 0, 0, 0, -1, 1)
  })

  const histories = fc.array(operation, { maxLength: 7 }).map((operations) => {
    const object = configRegister(initial)
    let state = object.initial
    const timed: { readonly at: number; readonly event: Event }[] = []
    const byEffect = operations
      .map((op, id) => ({ ...op, id, effect: op.from + op.takes / 2 }))
      .toSorted((a, b) => a.effect - b.effect)
    for (const { kind, ifVersion, id, from, takes, wrong } of byEffect) {
      const value = id + 1
      const command: RegisterCommand =
        kind === 'read'
          ? { type: kind }
          : kind === 'set'
            ? { type: kind, value }
            : { type: 'compare-and-set', ifVersion, value }
      const { state: next, result } = object.apply(state, command)
      state = next
      const told: RegisterResult =
        result.type === 'conflict'
          ? { ...result, actual: result.actual + wrong }
          : { ...result, version: result.version + wrong }
      timed.push({ at: from, event: call(id, command) }, { at: from + takes + 0.1, event: back(id, told) })
    }
    return timed.toSorted((a, b) => a.at - b.at).map(({ event }) => event)
  })

  it('says what the search says', () => {
    let broken = 0
    fc.assert(
      fc.property(histories, (events) => {
        const { linearizable } = checkLinearizable(configRegister(initial), events)
        if (!linearizable) broken++
        expect(problemIn(events) === undefined, JSON.stringify(events)).toBe(linearizable)
      }),
      { numRuns: 3_000, seed: 7 }
    )
    expect(broken).toBeGreaterThan(300)
  })

  it('counts a write that was never answered once somebody has seen it', () => {
    const lost = call(1, { type: 'set', value: 5 })
    const seen = [call(2, { type: 'read' }), back(2, { type: 'value', version: 2, value: 5 })]
    const gone = [call(3, { type: 'read' }), back(3, { type: 'value', version: 1, value: 0 })]
    expect(problemIn([lost, ...gone, ...seen])).toBeUndefined()
    expect(problemIn([lost, ...seen, ...gone])).toContain('2 was, before')
    expect(problemIn([...seen, lost])).toContain('nobody had asked')
  })
})
