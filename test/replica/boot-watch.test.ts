/** The watch over process lives alone: what it believes, what it costs, what it tells whom. */
import { describe, expect, it } from 'vitest'
import { fromUtf8 } from '../../src/core/bytes.ts'
import type { BootProgress, BootStatement } from '../../src/identity/boot-statement.ts'
import type { Admitted } from '../../src/membership/admission.ts'
import {
  BootWatch,
  CHECKS_AT_ONCE,
  CHECKS_PER_SECOND,
  GRAVE_KEPT_WITHIN_MS,
  KEPT_WITHIN_MS,
  PROGRESS_STATED_EVERY_MS,
  VOTE_STATED_AFTER_MS
} from '../../src/replica/boot-watch.ts'
import { STATEMENTS_MAX } from '../../src/replica/frame-kinds.ts'
import type { ReplicaEvent } from '../../src/replica/types.ts'
import { fakeStatements, forgeStatement, makeStatement } from './fake-statements.ts'

type Change = Partial<Omit<BootStatement, 'id' | 'bytes'>>

const content = (change: Change) => {
  const boot = change.boot ?? 3
  return {
    peerId: 'p2',
    storeId: '1',
    boot,
    bootNonce: `${change.peerId ?? 'p2'}-${boot}`,
    sequence: 0,
    term: 4,
    votedFor: undefined,
    lastIndex: 20,
    commitIndex: 10,
    seen: undefined,
    ...change
  }
}
const say = (change: Change = {}): BootStatement => makeStatement(content(change))

class Bench {
  readonly peers = new Map<string, Admitted>()
  readonly told: { to: string; texts: readonly string[] }[] = []
  readonly events: ReplicaEvent[] = []
  readonly barred: string[] = []
  readonly voters = new Set(['p1#1', 'p2#1', 'p3#1'])
  readonly signed: { sequence: number; payload: Uint8Array }[] = []
  checks = 0
  progress: BootProgress | undefined = { term: 5, votedFor: 'p2#1', lastIndex: 30, commitIndex: 25 }
  readonly own = say({ peerId: 'p1', boot: 6 })
  readonly watch: BootWatch

  constructor() {
    const { peerId, storeId, boot, bootNonce } = this.own
    const codec = fakeStatements({ peerId, storeId, boot, bootNonce })
    const counting = {
      ...codec,
      isGenuine: (statement: BootStatement) => {
        this.checks++
        return codec.isGenuine(statement)
      }
    }
    this.watch = new BootWatch(
      { own: this.own, codec: counting, known: [] },
      {
        sessions: () => [...this.peers.values()],
        session: (id) => this.peers.get(id),
        isVoter: (id) => this.voters.has(id),
        progress: () => this.progress,
        committedAsLeaderOf: () => undefined,
        sign: (sequence, payload) => this.signed.push({ sequence, payload }),
        send: (to, frame) => {
          if (frame.kind === 'boots') this.told.push({ to, texts: frame.statements.map(fromUtf8) })
        },
        event: (event) => this.events.push(event),
        barred: (id) => this.barred.push(id)
      }
    )
  }

  open(statement: BootStatement, now = 0): Admitted {
    const { peerId, storeId } = statement
    const peer = { peerId, storeId, incarnation: `${peerId}#${storeId}`, statement } as Admitted
    this.peers.set(peerId, peer)
    this.watch.opened(peer, now)
    return peer
  }

  get alarms(): readonly string[] {
    return this.events.map((event) => (event.type === 'alarm' ? event.code : event.type))
  }
}

const texts = (statements: readonly BootStatement[]): readonly string[] =>
  statements.map(({ bytes }) => fromUtf8(bytes))

describe('whose word counts', () => {
  it('only that of the accused: forged, altered and foreign statements of a member bar nobody', () => {
    const bench = new Bench()
    const hostile = bench.open(say({ peerId: 'p3' }))
    bench.open(say())
    const forged = [
      forgeStatement(content({ bootNonce: 'other' })),
      forgeStatement(content({ boot: 9 })),
      forgeStatement(content({ sequence: 1, term: 1 }))
    ]
    bench.watch.heard(
      hostile,
      forged.map(({ bytes }) => bytes),
      1
    )
    expect([bench.alarms, bench.barred, bench.watch.isMute('p2#1')]).toEqual([[], [], false])
    // Its true words, old or new, from anybody: still nothing.
    bench.watch.heard(hostile, [say({ boot: 2, term: 3 }).bytes, say({ sequence: 1 }).bytes], 2)
    expect([bench.alarms, bench.barred]).toEqual([[], []])
  })

  it('two true words that contradict each other are believed from anybody, reported once, and handed on with both', () => {
    const bench = new Bench()
    const other = bench.open(say({ peerId: 'p3' }))
    bench.open(say())
    bench.told.length = 0
    const twin = say({ bootNonce: 'twin' })
    bench.watch.heard(other, [twin.bytes, twin.bytes, say({ bootNonce: 'third' }).bytes], 1)
    expect([bench.alarms, bench.barred]).toEqual([['clone'], ['p2#1']])
    expect(bench.watch.isMute('p2#1')).toBe(true)
    const both = texts([say(), twin])
    expect(bench.told.filter((frame) => frame.texts.length === 2)).toEqual([
      { to: 'p3', texts: both },
      { to: 'p2', texts: both }
    ])
    // A newcomer is told the same.
    bench.told.length = 0
    bench.open(say({ peerId: 'p4' }))
    expect(bench.told.find(({ to }) => to === 'p4')?.texts).toEqual(expect.arrayContaining([...both]))
  })

  it('about whoever has no vote and is not here, nothing is looked at or kept', () => {
    const bench = new Bench()
    const other = bench.open(say({ peerId: 'p3' }))
    bench.watch.heard(other, [say({ peerId: 'p9' }).bytes, say({ storeId: '2' }).bytes], 1)
    expect(bench.checks).toBe(0)
    expect(bench.watch.toKeep(KEPT_WITHIN_MS)!.map(({ newest }) => newest.peerId)).toEqual(['p3'])
  })

  it('a session of an older life is not heard, and nothing more, until it says itself that it has seen the newer one', () => {
    const bench = new Bench()
    bench.open(say())
    bench.open(say({ peerId: 'p3' }))
    const later = say({ boot: 4 })
    bench.watch.heard(bench.peers.get('p3')!, [later.bytes], 1)
    expect(bench.watch.isMute('p2#1')).toBe(true)
    expect([bench.alarms, bench.watch.bar('p2#1')]).toEqual([[], undefined])
    const word = say({ sequence: 1, seen: later.id })
    bench.watch.heard(bench.peers.get('p2')!, [later.bytes, word.bytes], 2)
    expect([bench.alarms, bench.barred]).toEqual([['clone'], ['p2#1']])
    expect(bench.watch.bars()).toMatchObject([{ incarnation: 'p2#1', proved: true }])
  })

  it('the next boot of a peer is heard at once', () => {
    const bench = new Bench()
    bench.open(say())
    bench.open(say({ boot: 4 }))
    expect([bench.watch.isMute('p2#1'), bench.alarms]).toEqual([false, []])
  })

  it('a second disk of a key is reported once; the first one keeps its vote', () => {
    const bench = new Bench()
    bench.open(say())
    const second = say({ storeId: '2', boot: 1 })
    bench.watch.sighted(second, 1)
    bench.watch.sighted(second, 2)
    expect([bench.alarms, bench.watch.isMute('p2#1')]).toEqual([['clone'], false])
    expect(bench.events[0]).toMatchObject({ statements: [say().bytes, second.bytes] })
    bench.peers.delete('p2')
    bench.open(second)
    expect(bench.alarms).toEqual(['clone', 'disk-lost'])
  })

  it('somebody who was turned away as a twin bars both', () => {
    const bench = new Bench()
    bench.open(say())
    bench.watch.sighted(say({ bootNonce: 'twin' }), 1)
    expect([bench.alarms, bench.barred]).toEqual([['clone'], ['p2#1']])
  })
})

describe('what it costs', () => {
  it('a peer that brings rubbish makes us check no more than its allowance; others are heard meanwhile', () => {
    const bench = new Bench()
    const hostile = bench.open(say({ peerId: 'p3' }))
    const honest = bench.open(say({ peerId: 'p4' }))
    const flood = (from: number): void => {
      for (let frame = 0; frame < 20; frame++) {
        const forged = Array.from({ length: STATEMENTS_MAX }, (_, i) =>
          forgeStatement(content({ boot: 10 + from + frame * STATEMENTS_MAX + i }))
        )
        bench.watch.heard(
          hostile,
          forged.map(({ bytes }) => bytes),
          from
        )
      }
    }
    flood(1)
    expect(bench.checks).toBe(CHECKS_AT_ONCE)
    flood(1_001)
    expect(bench.checks).toBe(CHECKS_AT_ONCE + CHECKS_PER_SECOND)
    bench.watch.heard(honest, [say({ sequence: 1 }).bytes], 1_001)
    expect(bench.checks).toBe(CHECKS_AT_ONCE + CHECKS_PER_SECOND + 1)
  })

  it('what is known already is not checked again', () => {
    const bench = new Bench()
    const other = bench.open(say({ peerId: 'p3' }))
    const news = say({ sequence: 1 }).bytes
    for (let i = 0; i < 10; i++) bench.watch.heard(other, [news, say().bytes, say({ boot: 2 }).bytes], i)
    expect(bench.checks).toBe(1)
  })
})

describe('what it says of itself', () => {
  it('a new vote after a second, progress every ten; signed, to everybody', () => {
    const bench = new Bench()
    bench.open(say())
    bench.watch.moved('progress', 0)
    bench.watch.moved('vote', 100)
    expect(bench.watch.deadline(false)).toBe(VOTE_STATED_AFTER_MS)
    bench.watch.pump(VOTE_STATED_AFTER_MS - 1)
    expect(bench.signed).toEqual([])
    bench.watch.pump(VOTE_STATED_AFTER_MS)
    expect(bench.signed).toMatchObject([{ sequence: 1 }])
    bench.told.length = 0
    bench.watch.signed(1, new Uint8Array(64))
    expect(bench.told).toMatchObject([{ to: 'p2' }])
    expect(JSON.parse(bench.told[0]!.texts[0]!.replace(' signed', ''))).toMatchObject({
      ...{ boot: 6, sequence: 1, term: 5, votedFor: 'p2#1', lastIndex: 30, commitIndex: 25 }
    })
    bench.watch.moved('progress', 2_000)
    expect(bench.watch.deadline(false)).toBe(VOTE_STATED_AFTER_MS + PROGRESS_STATED_EVERY_MS)
  })

  it('waits while a term is on its way to the disk, and says one thing at a time', () => {
    const bench = new Bench()
    bench.progress = undefined
    bench.watch.moved('vote', 0)
    bench.watch.pump(VOTE_STATED_AFTER_MS)
    expect([bench.signed.length, bench.watch.deadline(false)]).toEqual([0, 2 * VOTE_STATED_AFTER_MS])
    bench.progress = { term: 5, votedFor: undefined, lastIndex: 1, commitIndex: 1 }
    bench.watch.pump(2 * VOTE_STATED_AFTER_MS)
    bench.watch.moved('vote', 3_000)
    expect(bench.watch.deadline(false)).toBeUndefined()
    bench.watch.pump(9_000)
    expect(bench.signed).toHaveLength(1)
    bench.watch.signed(7, new Uint8Array(64))
    expect(bench.watch.deadline(false)).toBeUndefined()
    bench.watch.signed(1, new Uint8Array(64))
    expect(bench.watch.deadline(false)).toBe(4_000)
  })

  it('when it is shown a later life of its own store, it is mute, and its last word names what it saw', () => {
    const bench = new Bench()
    const other = bench.open(say({ peerId: 'p3' }))
    const later = say({ peerId: 'p1', boot: 7 })
    bench.watch.heard(other, [forgeStatement(content({ peerId: 'p1', boot: 8 })).bytes], 0)
    expect(bench.watch.selfBar).toBeUndefined()
    bench.watch.heard(other, [later.bytes], 1)
    expect([bench.alarms, bench.barred]).toEqual([['rolled-back'], ['p1#1']])
    expect(bench.watch.selfBar?.detail).toMatch(
      /this node, p1#1 in boot 6 .* was also started as boot 7 .*`quorate replace p1`/
    )
    bench.progress = undefined
    bench.watch.pump(1)
    bench.told.length = 0
    bench.watch.signed(1, new Uint8Array(64))
    const { texts: documents } = bench.told[0]!
    expect(documents.slice(0, 2)).toEqual(texts([bench.own, later]))
    expect(documents[2]).toContain(`"seen":"${later.id}"`)
    bench.watch.heard(other, [say({ peerId: 'p1', boot: 9 }).bytes], 2)
    expect(bench.alarms).toHaveLength(1)
  })

  it('tells a newcomer of its own store what it does not show itself', () => {
    const bench = new Bench()
    bench.open(say())
    bench.watch.heard(bench.peers.get('p2')!, [say({ sequence: 4 }).bytes], 1)
    bench.told.length = 0
    bench.open(say({ boot: 2 }), 2)
    expect(bench.told[0]).toEqual({ to: 'p2', texts: texts([say({ sequence: 4 })]) })
  })
})

describe('what it keeps', () => {
  it('boots and votes in a moment, of several in one go; what only tells of a longer log within a minute', () => {
    const bench = new Bench()
    const peer = bench.open(say(), 0)
    const soon = GRAVE_KEPT_WITHIN_MS
    bench.open(say({ peerId: 'p3' }), 40)
    expect(bench.watch.deadline(true)).toBe(soon)
    expect(bench.watch.toKeep(soon - 1)).toBeUndefined()
    expect(bench.watch.toKeep(soon)!.map(({ newest }) => [newest.peerId, newest.boot])).toEqual([
      ['p2', 3],
      ['p3', 3]
    ])
    expect(bench.watch.toKeep(soon + 1)).toBeUndefined()
    bench.watch.heard(peer, [say({ sequence: 1, lastIndex: 40 }).bytes], 2)
    expect(bench.watch.toKeep(KEPT_WITHIN_MS)).toBeUndefined()
    expect(bench.watch.deadline(true)).toBe(2 + KEPT_WITHIN_MS)
    expect(bench.watch.toKeep(2 + KEPT_WITHIN_MS)).toMatchObject([{ newest: { lastIndex: 40 } }, {}])
    bench.watch.heard(peer, [say({ sequence: 2, lastIndex: 40, term: 5 }).bytes], 99_000)
    expect(bench.watch.toKeep(99_000)).toBeUndefined()
    expect(bench.watch.toKeep(99_000 + soon)).toMatchObject([{ newest: { term: 5 } }, {}])
    bench.watch.promised('p2#1', { type: 'heartbeat-reply', term: 6, seq: 1, match: 0 }, 99_001)
    bench.watch.promised('p2#1', { type: 'vote', term: 60, lastIndex: 1, lastTerm: 1, transfer: false }, 99_001)
    bench.watch.promised('p2#1', { type: 'vote-reply', term: 6, granted: true }, 99_001)
    bench.watch.promised('p2#1', { type: 'vote-reply', term: 5, granted: false }, 99_001)
    expect(bench.watch.toKeep(99_001 + KEPT_WITHIN_MS)).toMatchObject([{ promises: { term: 6, votedTerm: 6 } }, {}])
  })
})
