import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCbor } from '../../src/core/cbor.ts'
import type { JsonValue } from '../../src/core/json.ts'
import { canonicalJson } from '../../src/core/json.ts'
import {
  anyConfig,
  applyCommand,
  brokenLink,
  chainHash,
  compileSchema,
  CONFIG_BYTES_MAX,
  ConfigConflictError,
  configDigest,
  configErrorOf,
  ConfigTooLargeError,
  decodeCommand,
  encodeCommand,
  initialConfig,
  InvalidConfigError,
  judgeCommand,
  recordAt,
  UnreadableCommandError
} from '../../src/replicated-config/index.ts'
import type { Applied, ApplyResult, ConfigSet, ConfigState } from '../../src/replicated-config/index.ts'

const requestId = (n: number): string => n.toString(16).padStart(32, '0')

const set = (n: number, value: JsonValue, more: Partial<ConfigSet> = {}): ConfigSet => ({
  kind: 'config-set',
  requestId: requestId(n),
  author: 'peer-a',
  at: 1_790_000_000_000 + n,
  reason: `change ${n}`,
  text: canonicalJson(value),
  ...more
})

const applyAt = (state: ConfigState, index: number, command: ConfigSet, validate = anyConfig): Applied =>
  applyCommand(state, { index, term: 1, data: encodeCommand(command) }, validate)

/** Applies the commands in turn; the states and results on the way. */
function play(commands: readonly ConfigSet[], validate = anyConfig): { state: ConfigState; results: ApplyResult[] } {
  let state = initialConfig('{}')
  const results: ApplyResult[] = []
  for (const [i, command] of commands.entries()) {
    const applied = applyAt(state, i + 1, command, validate)
    state = applied.state
    results.push(applied.result)
  }
  return { state, results }
}

describe('version 1', () => {
  it('is the same on every member, before there is a log', () => {
    const { current } = initialConfig('{"a":1}')
    expect(current).toMatchObject({ version: 1, value: { a: 1 }, author: 'genesis', index: 0, term: 0, at: 0 })
    expect(current.digest).toBe(configDigest('{"a":1}'))
    // Written out once: a change of the hash rule is a change of the protocol.
    expect(initialConfig('{}').current.hash).toMatchInlineSnapshot(
      `"6ab2c97b10a47fe5251f3c9a649d5f187164b3885c9cbe1e44d4da3f420ec43e"`
    )
  })

  it.each(['{ "a":1}', '{"b":1,"a":2}', '{"a":1,"a":1}', '1e400', 'null ', '', '{"a":"\\ud800"}', '['.repeat(70)])(
    'refuses %j, which is not canonical JSON',
    (text) => {
      expect(() => initialConfig(text)).toThrow(InvalidConfigError)
    }
  )

  it('refuses a config that is too large', () => {
    expect(() => initialConfig(JSON.stringify('x'.repeat(CONFIG_BYTES_MAX)))).toThrow(/at most 262144/)
  })
})

describe('set', () => {
  it('makes the next version, with author, reason, time and place', () => {
    const { state, result } = applyAt(initialConfig('{}'), 7, set(1, { limit: 5 }))
    expect(result).toEqual({ type: 'set', version: 2, hash: state.current.hash })
    expect(state.current).toMatchObject({
      version: 2,
      value: { limit: 5 },
      text: '{"limit":5}',
      author: 'peer-a',
      reason: 'change 1',
      at: 1_790_000_000_001,
      index: 7,
      term: 1,
      previousHash: initialConfig('{}').current.hash
    })
  })

  it('does not change the state that it was given', () => {
    const before = initialConfig('{}')
    const rows = ({ older, answered, ...rest }: ConfigState): unknown =>
      structuredClone({ ...rest, older: [...older], answered: [...answered] })
    const copy = rows(before)
    applyAt(before, 1, set(1, 1))
    expect(rows(before)).toEqual(copy)
  })

  it('compares and sets', () => {
    const { state, results } = play([set(1, 1, { ifVersion: 1 }), set(2, 2, { ifVersion: 1 }), set(3, 3)])
    expect(results.map(({ type }) => type)).toEqual(['set', 'conflict', 'set'])
    expect(results[1]).toEqual({ type: 'conflict', expected: 1, actual: 2 })
    expect(state.current.version).toBe(3)
    expect([...state.history].map(({ value }) => value)).toEqual([{}, 1, 3])
  })

  it('rolls back by a new version with the old value, and the old digest', () => {
    const { state } = play([set(1, { a: 1 }), set(2, { a: 2 })])
    const old = recordAt(state, 2)!
    const rolled = applyAt(state, 3, set(3, old.value)).state.current
    expect(rolled).toMatchObject({ version: 4, value: { a: 1 }, digest: old.digest })
    expect(rolled.hash).not.toBe(old.hash)
  })

  it('lets go of values beyond a thousand versions and keeps a chain that verifies', () => {
    const { state } = play(Array.from({ length: 1004 }, (_, i) => set(i, i)))
    expect(state.current.version).toBe(1005)
    expect(state.history).toHaveLength(1000)
    expect([...state.older].map(({ version }) => version)).toEqual([1, 2, 3, 4, 5])
    expect(state.older.at(0)).not.toHaveProperty('value')
    expect(state.older.at(0)).not.toHaveProperty('text')
    expect(brokenLink([...state.older, ...state.history])).toBeUndefined()
    expect(recordAt(state, 5)).toBeUndefined()
    expect(recordAt(state, 6)?.value).toBe(4)
  })

  it('bounds the letters that history keeps', () => {
    const large = 'x'.repeat(CONFIG_BYTES_MAX - 2)
    const { state } = play(Array.from({ length: 140 }, (_, i) => set(i, large)))
    expect(state.history).toHaveLength(128)
    expect(state.older).toHaveLength(13)
  })
})

describe('retries', () => {
  it('answers a repeated request with its first answer, and changes nothing', () => {
    const first = applyAt(initialConfig('{}'), 1, set(1, 'a', { ifVersion: 1 }))
    const then = applyAt(first.state, 2, set(2, 'b'))
    const again = applyAt(then.state, 3, set(1, 'a', { ifVersion: 1 }))
    expect(again).toMatchObject({ state: then.state, result: first.result, repeated: true })
    expect(again.requestId).toBe(first.requestId)
    expect(first.repeated).toBe(false)
  })

  it('remembers refusals too: a conflict stays a conflict', () => {
    const conflict = applyAt(initialConfig('{}'), 1, set(1, 'a', { ifVersion: 2 }))
    const moved = applyAt(conflict.state, 2, set(2, 'b'))
    expect(applyAt(moved.state, 3, set(1, 'a', { ifVersion: 2 })).result).toEqual(conflict.result)
  })

  it('forgets the oldest answer after 1,024 commands', () => {
    const { state } = play(Array.from({ length: 1024 }, (_, i) => set(i, 0)))
    expect(applyAt(state, 1, set(0, 0)).repeated).toBe(true)
    const { state: later } = applyAt(state, 1, set(5000, 0))
    expect(applyAt(later, 2, set(0, 0)).repeated).toBe(false)
    expect(applyAt(later, 2, set(1, 0)).repeated).toBe(true)
  })

  it('a schedule with any retries ends like the one without', () => {
    const order = fc.array(fc.tuple(fc.nat(9), fc.nat(3)), { maxLength: 40 })
    fc.assert(
      fc.property(order, (steps) => {
        const commands = steps.map(([n, base]) => set(n, n, { ifVersion: base + (n % 4) }))
        const firsts = commands.filter((c, i) => commands.findIndex((d) => d.requestId === c.requestId) === i)
        // ifVersion may differ between copies of one request; the first copy decides.
        const once = play(firsts).state
        const many = play(commands).state
        expect(many.current.hash).toBe(once.current.hash)
        expect([...many.answered]).toEqual([...once.answered])
      })
    )
  })
})

describe('refusals', () => {
  const schema = compileSchema({ type: 'object', required: ['limit'], properties: { limit: { minimum: 1 } } })

  it('judges by the schema before anything changes', () => {
    const { state, results } = play([set(1, {}), set(2, { limit: 0 }), set(3, { limit: 1 })], schema)
    expect(results.map(({ type }) => type)).toEqual(['invalid', 'invalid', 'set'])
    expect(results[1]).toEqual({ type: 'invalid', problems: [{ pointer: '/limit', message: 'Must be at least 1.' }] })
    expect(state.current.version).toBe(2)
  })

  it('refuses text that is not canonical, and values that are too large', () => {
    const { results } = play([set(1, 0, { text: '{"a": 1}' }), set(2, 'ü'.repeat(CONFIG_BYTES_MAX / 2))])
    expect(results[0]).toMatchObject({ type: 'invalid', problems: [{ pointer: '' }] })
    expect(results[1]).toEqual({ type: 'too-large', bytes: CONFIG_BYTES_MAX + 2, bytesMax: CONFIG_BYTES_MAX })
  })

  it('takes a config of exactly the largest size', () => {
    expect(play([set(1, 'x'.repeat(CONFIG_BYTES_MAX - 2))]).results[0]!.type).toBe('set')
  })

  it('says beforehand what applying will say', () => {
    const state = initialConfig('{}')
    for (const command of [set(1, {}), set(2, { limit: 1 }), set(3, { limit: 1 }, { ifVersion: 3 })]) {
      const verdict = judgeCommand(state, command, schema)
      const { result } = applyAt(state, 1, command, schema)
      if (verdict.type === 'accepted') expect(result.type).toBe('set')
      else expect(verdict).toEqual(result)
    }
  })

  it('become errors that name the values', () => {
    const errors = play([set(1, 1, { ifVersion: 9 }), set(2, 1), set(3, 'x'.repeat(CONFIG_BYTES_MAX))], schema).results
    expect(configErrorOf(errors[0]!)).toBeInstanceOf(ConfigConflictError)
    expect(configErrorOf(errors[0]!)!.message).toBe('the config is at version 1, not at 9')
    expect(configErrorOf(errors[0]!)!.details).toEqual({ expected: 9, actual: 1 })
    expect(configErrorOf(errors[1]!)).toBeInstanceOf(InvalidConfigError)
    expect(configErrorOf(errors[1]!)!.message).toContain('(root): Must be object, not number.')
    expect(configErrorOf(errors[2]!)).toBeInstanceOf(ConfigTooLargeError)
    expect(configErrorOf({ type: 'malformed', detail: 'x' })).toBeInstanceOf(UnreadableCommandError)
    expect(configErrorOf({ type: 'set', version: 2, hash: '' })).toBeUndefined()
  })
})

describe('the command on the wire', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 })
  const commands = fc.record(
    {
      kind: fc.constant('config-set' as const),
      requestId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      author: text.filter((author) => author.length > 0),
      at: fc.maxSafeNat(),
      reason: text,
      text,
      ifVersion: fc.maxSafeNat()
    },
    { requiredKeys: ['kind', 'requestId', 'author', 'at', 'reason', 'text'] }
  )

  it('reads what it wrote', () => {
    fc.assert(
      fc.property(commands, (command) => {
        expect(decodeCommand(encodeCommand(command))).toEqual({ type: 'command', command })
      })
    )
  })

  it.each([
    [{ requestId: 'zz' }, /not hex/],
    [{ requestId: 'ab' }, /requestId is not 16 bytes/],
    [{ author: '' }, /author/],
    [{ at: 1.5 }, /at is not a whole number/],
    [{ reason: 'x'.repeat(1025) }, /reason is not a text of at most 1024/],
    [{ ifVersion: -1 }, /ifVersion/]
  ])('refuses to write %j', (wrong, message) => {
    expect(() => encodeCommand(set(1, 1, wrong))).toThrow(message)
  })

  const good = (): Map<number, never> =>
    new Map<number, unknown>([
      [0, 1],
      [1, new Uint8Array(16)],
      [2, 'a'],
      [3, 0],
      [4, ''],
      [5, '1']
    ]) as Map<number, never>
  it.each([
    ['no map', encodeCbor([1]), /not a map/],
    ['another kind', encodeCbor(good().set(0, 2 as never)), /kind/],
    ['a field too many', encodeCbor(good().set(9, 2 as never)), /field 9 is unknown/],
    ['a short request id', encodeCbor(good().set(1, new Uint8Array(15) as never)), /requestId/],
    ['a deep field', encodeCbor(good().set(5, [[]] as never)), /nested/],
    ['nothing', new Uint8Array(), /middle of a value/],
    ['a tail', new Uint8Array([...encodeCbor(good()), 0]), /follow/]
  ])('takes %s for malformed, and changes nothing', (_, data, detail) => {
    const state = initialConfig('{}')
    const applied = applyCommand(state, { index: 1, term: 1, data }, anyConfig)
    expect(applied.state).toBe(state)
    expect(applied.result).toMatchObject({ type: 'malformed', detail: expect.stringMatching(detail) as string })
  })

  it('is total: any bytes give a result, the same one twice', () => {
    const near = fc.tuple(commands, fc.nat(), fc.nat(255)).map(([command, at, byte]) => {
      const bytes = encodeCommand(command)
      bytes[at % bytes.byteLength] = byte
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 64 })), (data) => {
        const state = initialConfig('{}')
        const once = applyCommand(state, { index: 1, term: 1, data }, anyConfig)
        expect(applyCommand(state, { index: 1, term: 1, data: data.slice() }, anyConfig)).toEqual(once)
      }),
      { numRuns: 2000 }
    )
  })
})

describe('the chain', () => {
  const history = [...play([set(1, 1), set(2, 2), set(3, 3)]).state.history]

  it('holds', () => {
    expect(brokenLink(history)).toBeUndefined()
    expect(brokenLink([])).toBeUndefined()
    expect(brokenLink(history.slice(2))).toBeUndefined()
  })

  it.each([
    { version: 9 },
    { digest: configDigest('2') },
    { author: 'peer-b' },
    { reason: 'nothing to see' },
    { at: 0 },
    { hash: 'ab'.repeat(32) }
  ])('shows a forged %j', (forged) => {
    const headers = history.map((record) => (record.version === 2 ? { ...record, ...forged } : record))
    expect(brokenLink(headers)).toBe(forged.version ?? 2)
  })

  it('shows a version that was taken out or moved, even with its own hash made again', () => {
    expect(brokenLink(history.filter(({ version }) => version !== 2))).toBe(3)
    const reworded = { ...history[1]!, reason: 'reworded' }
    const healed = { ...reworded, hash: chainHash(reworded) }
    expect(brokenLink(history.map((record) => (record.version === 2 ? healed : record)))).toBe(3)
  })
})
