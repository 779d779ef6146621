/** Who is told what when a session opens and closes, and who is heard in between. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Admitted } from '../../src/membership/admission.ts'
import type { Membership } from '../../src/raft/types.ts'
import type { Frame } from '../../src/replica/frames.ts'
import { SessionChanges } from '../../src/replica/session-changes.ts'

type Around = ConstructorParameters<typeof SessionChanges>[0]

const peer = (peerId: string, more: Partial<Record<keyof Admitted, unknown>> = {}): Admitted =>
  ({ peerId, incarnation: `${peerId}#1`, claim: { peerId }, priority: 5, ...more }) as unknown as Admitted
const guest = (peerId: string, more: Partial<Record<keyof Admitted, unknown>> = {}): Admitted =>
  peer(peerId, { claim: undefined, ...more })

const certificate = { term: 3 } as unknown as NonNullable<ReturnType<Around['certificate']>>

let log: string[]
let open: Map<string, Admitted>
let heard: Set<string>
let sent: [string, Frame][]
let barred: Set<string>
let around: { -readonly [K in keyof Around]: Around[K] }
let selfBar: object | undefined
let overdue: readonly string[]
let stage: string
let membership: Membership | undefined

function surroundings(): unknown {
  const say = (text: string) => void log.push(text)
  return {
    self: { incarnation: 'me#1', peerId: 'me', seat: undefined },
    outbox: { event: (event: { type: string; detail?: string }) => say(`event ${event.type}: ${event.detail}`) },
    sessions: {
      get: (id: string) => open.get(id),
      list: () => [...open.values()],
      open: (one: Admitted) => open.set(one.peerId, one),
      close: (one: Admitted) => open.delete(one.peerId),
      introductions: (newcomer: Admitted, isSought: (one: Admitted) => boolean) =>
        isSought(newcomer) ? [{ to: newcomer.peerId, records: [] }] : []
    },
    mail: {
      heard,
      send: (to: string, frame: Frame) => void sent.push([to, frame]),
      sessionClosed: (id: string) => say(`mail of ${id} dropped`),
      overdue: () => overdue
    },
    founding: {
      get stage() {
        return stage
      },
      tell: (input: { type: string; incarnation?: string; claim?: { peerId: string } }) =>
        say(`founding: ${input.type} ${input.incarnation ?? input.claim?.peerId}`)
    },
    consensus: {
      get view() {
        return membership === undefined ? undefined : { membership }
      },
      tell: (input: { type: string; peer: string; priority?: number }) =>
        say(`consensus: ${input.type} ${input.peer}${input.priority === undefined ? '' : ` ${input.priority}`}`),
      snapshots: { sessionClosed: (id: string) => say(`snapshots to ${id} end`) }
    },
    requests: { sessionOpened: (id: string) => say(`requests to ${id}`) },
    fences: {
      tell: ({ peerId }: Admitted) => say(`fences look at ${peerId}`),
      forget: (id: string) => say(`fences forget ${id}`),
      isBarred: (id: string) => barred.has(id)
    },
    guests: { copies: () => [] },
    newcomers: { look: () => say('newcomers') },
    boots: {
      get selfBar() {
        return selfBar
      },
      opened: ({ peerId }: Admitted) => say(`boots of ${peerId}`)
    },
    met: { meet: (claim: { peerId: string }) => say(`met ${claim.peerId}`) },
    certificate: () => undefined
  }
}

let changes: SessionChanges

beforeEach(() => {
  log = []
  open = new Map()
  heard = new Set()
  sent = []
  barred = new Set()
  selfBar = undefined
  overdue = []
  stage = 'waiting'
  membership = undefined
  around = surroundings() as typeof around
  changes = new SessionChanges(around)
})

describe('a session', () => {
  it('of a founder opens in this order, and closes', () => {
    changes.opened(peer('a'), 0)
    expect(log.splice(0)).toEqual([
      'boots of a',
      'fences look at a',
      'met a',
      'founding: founder-connected a',
      'consensus: connected a#1 5',
      'newcomers',
      'requests to a'
    ])
    expect([...heard]).toEqual(['a#1'])
    changes.closed('a', 1)
    expect(log).toEqual([
      'mail of a dropped',
      'fences forget a',
      'snapshots to a#1 end',
      'founding: founder-disconnected a#1',
      'consensus: disconnected a#1'
    ])
    expect([heard.size, open.size]).toEqual([0, 0])
    changes.closed('a', 2)
    expect(log).toHaveLength(5)
  })

  it('of a guest is nothing to founding', () => {
    changes.opened(guest('g'), 0)
    changes.closed('g', 1)
    expect(log.filter((line) => line.startsWith('founding') || line.startsWith('met'))).toEqual([])
    expect(log).toContain('consensus: disconnected g#1')
  })

  it('takes the place of the one before, which ends first', () => {
    changes.opened(peer('a'), 0)
    log = []
    changes.opened(peer('a', { incarnation: 'a#2' }), 1)
    expect(log.indexOf('consensus: disconnected a#1')).toBeLessThan(log.indexOf('consensus: connected a#2 5'))
    expect([...heard]).toEqual(['a#2'])
  })

  it('introduces whom others need: founders until there are voters, then those', () => {
    changes.opened(peer('a'), 0)
    changes.opened(guest('g'), 0)
    membership = { voters: ['h#1'], outgoing: [], learners: [], learnersNext: [], autoLeave: false }
    changes.opened(peer('b'), 0)
    changes.opened(guest('h'), 0)
    expect(sent.filter(([, { kind }]) => kind === 'peers').map(([to]) => to)).toEqual(['a', 'h'])
  })
})

describe('whoever is barred', () => {
  it('has a session and is not heard; its end is nothing to formation and consensus', () => {
    barred.add('a#1')
    changes.opened(peer('a'), 0)
    expect(heard.size).toBe(0)
    expect(log).toEqual(['boots of a', 'fences look at a', 'met a', 'requests to a'])
    log = []
    changes.closed('a', 1)
    expect(log).toEqual(['mail of a dropped', 'fences forget a', 'snapshots to a#1 end'])
  })

  it('is heard no more from that moment on, and told; nobody else is', () => {
    for (const id of ['a', 'b']) changes.opened(peer(id), 0)
    log = []
    changes.barred('a#1', 1)
    expect(log).toEqual(['founding: founder-disconnected a#1', 'consensus: disconnected a#1', 'fences look at a'])
    expect([...heard]).toEqual(['b#1'])
    // Said once: who is barred again was not heard any more.
    changes.barred('a#1', 2)
    expect(log.slice(3)).toEqual(['fences look at a'])
    changes.barred('a#9', 3)
    expect([...heard]).toEqual(['b#1'])
  })

  it('when it is we ourselves, hears nobody, of now and of later', () => {
    for (const id of ['a', 'b']) changes.opened(peer(id), 0)
    selfBar = {}
    changes.barred('me#1', 1)
    expect(heard.size).toBe(0)
    changes.opened(peer('c'), 2)
    expect(heard.size).toBe(0)
  })
})

describe('the certificate', () => {
  const handed = (): readonly string[] =>
    sent.flatMap(([to, frame]) => (frame.kind === 'formation' && frame.message.type === 'certificate' ? to : []))

  it('is handed to whoever has no cluster yet, except between founders', () => {
    around.certificate = () => certificate
    changes.opened(peer('founder'), 0)
    changes.opened(guest('newcomer'), 0)
    changes.opened(guest('member', { clusterId: 'abc' }), 0)
    expect(handed()).toEqual(['founder', 'newcomer'])
    sent = []
    around.self = { ...around.self, seat: 1 } as Around['self']
    changes.opened(peer('another founder'), 0)
    changes.opened(guest('another newcomer'), 0)
    expect(handed()).toEqual(['another newcomer'])
  })

  it('is handed to nobody before there is one, nor to whoever is not heard', () => {
    changes.opened(guest('a'), 0)
    around.certificate = () => certificate
    barred.add('b#1')
    changes.opened(guest('b'), 0)
    expect(handed()).toEqual([])
  })

  it('that does not come ends the session, unless it is being written here', () => {
    overdue = ['a', 'b']
    stage = 'agreeing'
    changes.pump(0)
    expect(log).toEqual([])
    stage = 'waiting'
    changes.pump(1)
    const why = 'it speaks of a cluster, but the founding certificate did not arrive'
    expect(log).toEqual([`event unwelcome: ${why}`, `event unwelcome: ${why}`])
  })
})

describe('a copy of a token that was used', () => {
  it('is named and sent away: among all, or those who have just come', () => {
    const asked: string[][] = []
    around.guests = {
      copies: (sessions: readonly Admitted[]) => {
        asked.push(sessions.map(({ peerId }) => peerId))
        return sessions.filter(({ peerId }) => peerId === 'b').map(({ peerId }) => ({ peerId, detail: 'used' }))
      }
    } as unknown as Around['guests']
    for (const id of ['a', 'b']) changes.opened(guest(id), 0)
    changes.turnAwayCopies()
    expect(asked).toEqual([['a'], ['b'], ['a', 'b']])
    const pair = ['event alarm: used', 'event unwelcome: used']
    expect(log.filter((line) => line.startsWith('event'))).toEqual([...pair, ...pair])
  })
})
