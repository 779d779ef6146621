/** What statements of process lives prove, and what is remembered of what a store has promised. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contradictionOf } from '../../src/identity/boot-contradiction.ts'
import type { BootStatement } from '../../src/identity/boot-statement.ts'
import { BootMemory, isOutdated, otherDisk, STORES_REMEMBERED_MAX, strangeToUs } from '../../src/membership/boots.ts'
import { makeStatement } from '../replica/fake-statements.ts'

const say = (change: Partial<Omit<BootStatement, 'id' | 'bytes'>> = {}): BootStatement => {
  const boot = change.boot ?? 5
  return makeStatement({
    peerId: 'A',
    storeId: 's1',
    boot,
    bootNonce: `n${boot}`,
    sequence: 0,
    term: 3,
    votedFor: undefined,
    lastIndex: 20,
    commitIndex: 10,
    seen: undefined,
    ...change
  })
}

describe('two statements of one store', () => {
  const later = say({ boot: 6 })
  const cases: readonly (readonly [string, BootStatement, BootStatement, RegExp | undefined])[] = [
    ['the same again', say(), say(), undefined],
    ['the next one of a life', say(), say({ sequence: 1, term: 4, lastIndex: 30, commitIndex: 30 }), undefined],
    ['the next boot', say(), say({ boot: 6, commitIndex: 0 }), undefined],
    [
      'a shorter log that still holds what had committed',
      say(),
      say({ boot: 6, lastIndex: 10, commitIndex: 0 }),
      undefined
    ],
    ['a vote in a term that had none', say(), say({ sequence: 1, votedFor: 'B#1' }), undefined],
    ['another vote in a later term', say({ votedFor: 'B#1' }), say({ boot: 6, term: 4, votedFor: 'C#1' }), undefined],
    ['of two disks', say(), say({ storeId: 's2', boot: 1, term: 0 }), undefined],
    ['of two peers', say(), say({ peerId: 'B', boot: 6, term: 0 }), undefined],
    [
      'one boot under two nonces',
      say(),
      say({ bootNonce: 'other' }),
      /^was started twice from one disk, as boot 5 .* and boot 5/
    ],
    ['one number for two statements', say(), say({ lastIndex: 21 }), /^said two things as statement 0 of boot 5/],
    [
      'a later boot in an earlier term',
      say(),
      say({ boot: 6, term: 2 }),
      /^had reached term 3 \(now 2\) in boot 5.*not in boot 6/
    ],
    ['a vote that is gone', say({ votedFor: 'B#1' }), say({ boot: 6 }), /^had voted for B#1 in term 3 \(now nobody\)/],
    ['another vote of the same term', say({ votedFor: 'B#1' }), say({ sequence: 1, votedFor: 'C#1' }), /now C#1/],
    [
      'entries that had committed are gone',
      say(),
      say({ boot: 6, lastIndex: 9, commitIndex: 0 }),
      /^had committed entry 10 \(its log ends at 9 now\)/
    ],
    [
      'an earlier life that has seen a later one',
      say({ sequence: 1, seen: later.id }),
      later,
      /^goes on in boot 5 .* after boot 6/
    ]
  ]
  it.each(cases)('%s', (_, a, b, reason) => {
    for (const [one, other] of [
      [a, b],
      [b, a]
    ] as const) {
      if (reason === undefined) expect(contradictionOf(one, other)).toBeUndefined()
      else expect(contradictionOf(one, other)?.reason).toMatch(reason)
    }
  })

  it('of an intact disk never contradict each other, whatever happens to it and in whatever order they come', () => {
    const step = fc.constantFrom('restart', 'term', 'vote', 'append', 'commit', 'truncate')
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, seed) => {
        const said: BootStatement[] = []
        let now = {
          boot: 1,
          sequence: 0,
          term: 0,
          votedFor: undefined as string | undefined,
          lastIndex: 0,
          commitIndex: 0
        }
        for (const what of steps) {
          now = { ...now, sequence: now.sequence + 1 }
          if (what === 'restart') now = { ...now, boot: now.boot + 1, sequence: 0, commitIndex: 0 }
          else if (what === 'term') now = { ...now, term: now.term + 1, votedFor: undefined }
          else if (what === 'vote') now = { ...now, votedFor: now.votedFor ?? 'B#1' }
          else if (what === 'append') now = { ...now, lastIndex: now.lastIndex + 3 }
          else if (what === 'commit') now = { ...now, commitIndex: Math.max(now.commitIndex, now.lastIndex - 1) }
          // A new leader replaces what has not committed anywhere.
          else now = { ...now, term: now.term + 1, votedFor: undefined, lastIndex: floorOf(said, now.commitIndex) }
          said.push(say(now))
        }
        const memory = new BootMemory('B#1')
        const shuffled = said.toSorted(
          (a, b) => ((a.lastIndex * 7 + a.boot * seed) % 13) - ((b.lastIndex * 7 + b.boot * seed) % 13)
        )
        for (const statement of shuffled) expect(memory.note(statement)).toBeUndefined()
        for (const a of said) for (const b of said) expect(contradictionOf(a, b)).toBeUndefined()
      })
    )
  })
})

const floorOf = (said: readonly BootStatement[], commitIndex: number): number =>
  Math.max(commitIndex, ...said.map((statement) => statement.commitIndex))

describe('memory of stores', () => {
  const promised = (more: object, first = say({ lastIndex: 20 })): BootMemory => {
    const memory = new BootMemory('B#1')
    memory.note(first)
    memory.promised('A#s1', more)
    return memory
  }

  it.each([
    [
      'a term in which it had answered us',
      { term: 9 },
      { term: 8 },
      /answered this node in term 9, and knows only of term 8/
    ],
    ['its vote for us', { term: 9, votedTerm: 9 }, { term: 9 }, /voted for this node in term 9, and remembers no vote/],
    ['its vote for us, given away', { term: 9, votedTerm: 9 }, { term: 9, votedFor: 'C#1' }, /remembers one for C#1/],
    [
      'entries acknowledged in this very term',
      { term: 9, matchTerm: 9, match: 50 },
      { term: 9, lastIndex: 49 },
      /acknowledged entry 50 to this node, and its log ends at 49/
    ],
    [
      'entries that had committed',
      { term: 9, matchTerm: 9, match: 50, kept: 40 },
      { term: 11, lastIndex: 39 },
      /acknowledged entry 40 .* ends at 39/
    ]
  ])('bars a boot that has forgotten %s, and that proves nothing to others', (_, promises, change, sentence) => {
    const alarm = promised(promises).note(say({ boot: 6, lastIndex: 60, commitIndex: 0, ...change }))
    expect(alarm).toMatchObject({ code: 'rolled-back', bar: { proved: false } })
    expect(alarm!.detail).toMatch(sentence)
    expect(alarm!.detail).toMatch(/boot 6 .*`quorate replace A`/)
    expect(alarm!.statements.map(({ boot }) => boot)).toEqual([5, 6])
  })

  it.each([
    [
      'remembers all of it',
      { term: 9, votedTerm: 9, matchTerm: 9, match: 50, kept: 50 },
      { term: 9, votedFor: 'B#1', lastIndex: 50 }
    ],
    [
      'was made to replace, in a later term, what had not committed',
      { term: 9, matchTerm: 9, match: 50, kept: 40 },
      { term: 10, lastIndex: 40 }
    ],
    ['has never promised anything', {}, { term: 0, lastIndex: 0 }],
    ['never had a vote for us', { term: 0 }, { term: 0, votedFor: undefined, lastIndex: 0 }]
  ])('does not bar a boot that %s', (_, promises, change) => {
    const memory = promised(promises, say({ term: 0, lastIndex: 0, commitIndex: 0 }))
    expect(memory.note(say({ boot: 6, commitIndex: 0, ...change }))).toBeUndefined()
  })

  it('holds no promise against the life that made it: what it says may be older than what we heard', () => {
    const memory = promised({ term: 9, matchTerm: 9, match: 50 })
    expect(memory.note(say({ sequence: 1, term: 4 }))).toBeUndefined()
  })

  it('calls it a clone when the other life is alive, and a disk that was set back otherwise', () => {
    const twin = say({ bootNonce: 'twin' })
    expect(promised({}).note(twin, { live: say() })).toMatchObject({ code: 'clone', bar: { proved: true } })
    expect(promised({}).note(twin)).toMatchObject({ code: 'rolled-back', bar: { proved: true } })
  })

  it('needs a witness to believe an old life that it has seen a new one, and knows a clone by it', () => {
    const later = say({ boot: 6 })
    const older = say({ sequence: 1, seen: later.id })
    const memory = promised({})
    expect(memory.isNews(older)).toBe(true)
    expect(memory.note(later)).toBeUndefined()
    for (const boot of [7, 8]) expect(memory.note(say({ boot }))).toBeUndefined()
    expect(memory.isNews(older)).toBe(false)
    expect(memory.note(older, { witness: later })).toMatchObject({ code: 'rolled-back' })
    const two = promised({})
    two.note(later)
    expect(two.note(older)).toMatchObject({ code: 'clone', bar: { proved: true } })
  })

  it('says once that a store is barred, and once more when proof comes for what was only our word', () => {
    const memory = promised({ term: 9 })
    expect(memory.note(say({ boot: 6, term: 8 }))).toMatchObject({ bar: { proved: false } })
    expect(memory.note(say({ boot: 7, term: 8 }))).toBeUndefined()
    const twin = say({ boot: 7, term: 8, bootNonce: 'twin' })
    expect(memory.note(twin)).toMatchObject({ bar: { proved: true } })
    expect(memory.isNews(say({ boot: 9 }))).toBe(false)
    expect(memory.note(say({ boot: 7, term: 8, bootNonce: 'third' }))).toBeUndefined()
  })

  it('knows an outdated life, which may be one that died while its words were on their way', () => {
    const memory = promised({})
    memory.note(say({ boot: 6 }))
    const { newest } = memory.get('A#s1')!
    expect(isOutdated(newest, say())).toBe(true)
    expect(isOutdated(newest, newest)).toBe(false)
    expect(isOutdated(newest, say({ boot: 6, sequence: 3 }))).toBe(false)
    expect(isOutdated(newest, say({ boot: 7 }))).toBe(false)
    expect(memory.bar('A#s1')).toBeUndefined()
  })

  it('is bounded, and gives up those that nobody needs before the others', () => {
    const memory = new BootMemory('B#1')
    for (let i = 0; i < STORES_REMEMBERED_MAX + 20; i++) memory.note(say({ peerId: `P${i}` }))
    memory.trim((id) => id === 'P0#s1' || id === 'P1#s1')
    const left = [...memory.list()].map(([id]) => id)
    expect(left).toHaveLength(STORES_REMEMBERED_MAX)
    expect(left.slice(0, 3)).toEqual(['P0#s1', 'P1#s1', 'P22#s1'])
    memory.trim(() => true)
    for (let i = 0; i < 5; i++) memory.note(say({ peerId: `Q${i}` }))
    memory.trim(() => true)
    expect([...memory.list()]).toHaveLength(STORES_REMEMBERED_MAX)
  })
})

describe('a statement of our own store', () => {
  const first = say({ boot: 6, term: 4, lastIndex: 30 })
  it.each([
    ['of this life', say({ boot: 6, term: 4, lastIndex: 30, sequence: 2 }), undefined],
    ['of this life, from its future', say({ boot: 6, term: 4, lastIndex: 30, sequence: 4 }), /has said more in boot 6/],
    ['of a past life', say({ boot: 5 }), undefined],
    ['of a past life that knew more', say({ boot: 5, term: 5 }), /had reached term 5 \(now 4\)/],
    ['of a past life that held more', say({ boot: 5, commitIndex: 31, lastIndex: 40 }), /had committed entry 31/],
    ['of the same boot elsewhere', say({ boot: 6, bootNonce: 'x' }), /was also started as boot 6/],
    ['of a later boot', say({ boot: 7 }), /was also started as boot 7/]
  ])('%s', (_, statement, reason) => {
    const strange = strangeToUs(first, 3, statement)
    if (reason === undefined) expect(strange).toBeUndefined()
    else expect(strange).toMatch(reason)
  })
})

describe('another disk under the same key', () => {
  it('is a lost disk, or a copied key while the first one lives; both statements come along', () => {
    const other = say({ storeId: 's2', boot: 1 })
    expect(otherDisk(other, say(), false)).toMatchObject({ code: 'disk-lost', statements: [{ boot: 5 }, { boot: 1 }] })
    const copied = otherDisk(other, say(), true)
    expect(copied).toMatchObject({ code: 'clone', statements: [{ storeId: 's1' }, { storeId: 's2' }] })
    expect(copied.detail).toMatch(/s1 in boot 5 .* s2 in boot 1 .*Stop one of them/)
  })
})
