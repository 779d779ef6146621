/** The checker itself: histories whose verdict is known, and a second opinion by brute force on small random ones. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkLinearizable, type HistoryEvent } from './checker.ts'
import { configRegister, type RegisterCommand, type RegisterResult } from './config-register.ts'

type Event = HistoryEvent<RegisterCommand, RegisterResult>
const register = configRegister({ version: 1, value: 0 })
const isLinearizable = (events: readonly Event[]): boolean => checkLinearizable(register, events).linearizable

/**
 * One line a caller: `a: [w1      v2]` is an operation from the column of its `[` to that of its `]`. `wN` sets N, `r` reads, `cV/N`
 * sets N if the version is V; after it what was answered: `vV` the new version, `xV` conflict with V, `V=N` read. `?`: no answer.
 */
function history(...lines: readonly string[]): Event[] {
  const events: { readonly at: number; readonly event: Event }[] = []
  let id = 0
  for (const line of lines) {
    for (const found of line.matchAll(/\[(\S+)\s+(\S+?)([\]>])/g)) {
      id++
      events.push({ at: found.index, event: { type: 'call', id, command: commandOf(found[1]!) } })
      if (found[3] === ']') {
        const at = found.index + found[0].length - 1
        events.push({ at, event: { type: 'return', id, result: resultOf(found[2]!) } })
      }
    }
  }
  return events.toSorted((a, b) => a.at - b.at).map(({ event }) => event)
}

function commandOf(text: string): RegisterCommand {
  if (text === 'r') return { type: 'read' }
  if (text.startsWith('w')) return { type: 'set', value: Number(text.slice(1)) }
  const [ifVersion, value] = text.slice(1).split('/').map(Number)
  return { type: 'compare-and-set', ifVersion: ifVersion!, value: value! }
}

function resultOf(text: string): RegisterResult {
  if (text.startsWith('v')) return { type: 'set', version: Number(text.slice(1)) }
  if (text.startsWith('x')) return { type: 'conflict', actual: Number(text.slice(1)) }
  const [version, value] = text.split('=').map(Number)
  return { type: 'value', version: version!, value: value! }
}

describe('linearizable', () => {
  const good: readonly (readonly [string, readonly string[]])[] = [
    ['nothing', []],
    ['one after the other', ['[w5  v2]  [r 2=5]  [c2/7 v3] [r 3=7]']],
    ['a read that overlaps a write sees the old value', ['[w5          v2]', '   [r 1=0]']],
    ['a read that overlaps a write sees the new value', ['[w5          v2]', '   [r 2=5]']],
    ['two writes that overlap, in the other order', ['[w5    v3]', ' [w6     v2]', '             [r 3=5]']],
    ['of two that compare one loses', ['[c1/5   v2]', '  [c1/6   x2]', '              [r 2=5]']],
    ['a lost answer took effect late', ['[w5 ?>', '     [r 1=0]  [r 2=5]']],
    ['a lost answer never took effect', ['[w5 ?>', '     [r 1=0]  [r 1=0]']],
    ['two lost answers, one of them took effect', ['[w5 ?>', '[c1/6 ?>', '        [r 2=6]   [r 2=6]']],
    ['a lost answer took effect between two that came', ['[w5 ?>', '     [w6 v2]  [r 3=5]']]
  ]
  it.each(good)('%s', (_, lines) => {
    expect(isLinearizable(history(...lines))).toBe(true)
  })
})

describe('not linearizable', () => {
  const bad: readonly (readonly [string, readonly string[]])[] = [
    ['a stale read', ['[w5  v2]', '          [r 1=0]']],
    ['a read from the future', ['[r 2=5]', '         [w5  v2]']],
    ['a value that nobody wrote', ['[w5  v2]', '          [r 2=6]']],
    ['back and forth during one write', ['[w5                     v2]', '   [r 2=5]', '            [r 1=0]']],
    [
      'two readers disagree about the order',
      ['[w5   v2]', '[w6   v3]', '           [r 3=6]', '                   [r 2=5]']
    ],
    ['both that compare win', ['[c1/5   v2]', '  [c1/6   v2]']],
    ['a conflict with the version that it named', ['[c1/5 x1]']],
    ['a conflict with a version that is not there yet', ['[c1/5 x2]  [w6 v2]']],
    ['a lost write that was seen, and then was not', ['[w5 ?>', '      [r 2=5]  [r 1=0]']],
    ['a lost answer took effect before its call', ['[r 2=5]', '         [w5 ?>']],
    ['a write that was lost although it was answered', ['[w5 v2]  [w6 v2]']]
  ]
  it.each(bad)('%s', (_, lines) => {
    expect(isLinearizable(history(...lines))).toBe(false)
  })

  it('says how far it came, and at what it is stuck', () => {
    const verdict = checkLinearizable(register, history('[w5  v2]  [r 2=5]  [w6 v3]  [r 2=5]'))
    expect(verdict).toEqual({ linearizable: false, order: [1, 2, 3], stuckAt: { type: 'read' } })
  })

  it('refuses what is no history', () => {
    const call: Event = { type: 'call', id: 1, command: { type: 'read' } }
    expect(() => isLinearizable([call, call])).toThrow('called twice')
    expect(() => isLinearizable([{ type: 'return', id: 1, result: { type: 'set', version: 2 } }])).toThrow('without')
  })
})

describe('any small history', () => {
  /** All orders of all subsets of the unanswered operations, as the definition has it. */
  function byDefinition(events: readonly Event[]): boolean {
    const ids = events.flatMap((event) => (event.type === 'call' ? [event.id] : []))
    const position = (id: number, type: Event['type']): number => {
      const at = events.findIndex((event) => event.id === id && event.type === type)
      return at === -1 ? Infinity : at
    }
    const search = (rest: readonly number[], state: typeof register.initial): boolean => {
      if (rest.every((id) => position(id, 'return') === Infinity)) return true
      return rest.some((id) => {
        if (rest.some((other) => position(other, 'return') < position(id, 'call'))) return false
        const call = events[position(id, 'call')] as Extract<Event, { type: 'call' }>
        const next = register.apply(state, call.command)
        const end = events[position(id, 'return')] as Extract<Event, { type: 'return' }> | undefined
        if (end !== undefined && JSON.stringify(end.result) !== JSON.stringify(next.result)) return false
        return search(
          rest.filter((other) => other !== id),
          next.state
        )
      })
    }
    return search(ids, register.initial)
  }

  const small = { min: 1, max: 3 }
  const command: fc.Arbitrary<RegisterCommand> = fc.oneof(
    fc.constant({ type: 'read' as const }),
    fc.record({ type: fc.constant('set' as const), value: fc.integer(small) }),
    fc.record({ type: fc.constant('compare-and-set' as const), ifVersion: fc.integer(small), value: fc.integer(small) })
  )
  const operation = fc.record({
    command,
    from: fc.nat({ max: 30 }),
    takes: fc.nat({ max: 20 }),
    answered: fc.boolean(),
    wrong: fc.integer({ min: 0, max: 9 })
  })

  /** Operations take effect at some moment of theirs; some answers are then falsified. */
  const histories = fc.array(operation, { maxLength: 6 }).map((operations) => {
    let state = register.initial
    const timed: { readonly at: number; readonly event: Event }[] = []
    const byEffect = operations
      .map((op, id) => ({ ...op, id, effect: op.from + op.takes / 2 }))
      .toSorted((a, b) => a.effect - b.effect)
    for (const { id, command: asked, from, takes, answered, wrong } of byEffect) {
      const { state: next, result } = register.apply(state, asked)
      state = next
      timed.push({ at: from, event: { type: 'call', id, command: asked } })
      const told: RegisterResult =
        wrong === 0 && result.type !== 'conflict' ? { ...result, version: result.version + 1 } : result
      if (answered) timed.push({ at: from + takes + 0.1, event: { type: 'return', id, result: told } })
    }
    return timed.toSorted((a, b) => a.at - b.at).map(({ event }) => event)
  })

  it('has the verdict of the definition', () => {
    const verdicts = { true: 0, false: 0 }
    fc.assert(
      fc.property(histories, (events) => {
        const verdict = isLinearizable(events)
        verdicts[`${verdict}`]++
        expect(verdict).toBe(byDefinition(events))
      }),
      { numRuns: 2000, seed: 1 }
    )
    expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(200)
  })
})
