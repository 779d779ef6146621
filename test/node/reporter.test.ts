/** Who hears of events: listeners of the name, listeners of all, and targets that do more than tell listeners. */
import { describe, expect, it } from 'vitest'
import type { Home } from '../../src/node/home.ts'
import { Reporter } from '../../src/node/reporter.ts'
import { manualClock } from '../transport/manual-clock.ts'

const silent = () => {}

function reporterOn(
  events: EventTarget,
  clock = manualClock(),
  waitingFor: () => readonly string[] = () => []
): Reporter {
  return new Reporter({
    home: { startedAt: 0, boot: 1, key: { signer: { peerId: 'p1' } } } as unknown as Home,
    clock,
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    events,
    foundingSize: () => 3,
    electionTimeoutMs: () => 100,
    waitingFor
  })
}

it('tells listeners of the name and of all, from the moment they listen until they stop', () => {
  const events = new EventTarget()
  const reporter = reporterOn(events)
  const heard: string[] = []
  const named = (event: Event): void => void heard.push(`named ${(event as CustomEvent<{ peer: string }>).detail.peer}`)
  const all = (event: Event): void =>
    void heard.push(`${event.type} ${(event as CustomEvent<{ peer: string }>).detail.peer}`)
  reporter.disconnected('a', '', 0)
  events.addEventListener('peer', named)
  reporter.disconnected('b', '', 0)
  events.addEventListener('*', all)
  reporter.disconnected('c', '', 0)
  events.removeEventListener('peer', named)
  reporter.disconnected('d', '', 0)
  expect(heard).toEqual(['named b', 'named c', '* c', '* d'])
})

it('hands everything to a target that does more than tell listeners', () => {
  const types: string[] = []
  class Recording extends EventTarget {
    override dispatchEvent(event: Event): boolean {
      types.push(event.type)
      return true
    }
  }
  reporterOn(new Recording()).disconnected('a', '', 0)
  expect(types).toEqual(['peer', '*'])
})

describe('what is missing', () => {
  const LEADER = { type: 'leader', term: 1, leader: 'p2' } as const

  /** Ready, with nothing missing; `looks` are the times at which it was asked for since. */
  function ready() {
    const clock = manualClock()
    const looks: number[] = []
    const events = new EventTarget()
    const said: unknown[] = []
    const missing: string[] = []
    events.addEventListener('waiting', (event) =>
      said.push((event as CustomEvent<{ waitingFor: unknown }>).detail.waitingFor)
    )
    const reporter = reporterOn(events, clock, () => {
      looks.push(clock.now())
      return [...missing]
    })
    reporter.listening([])
    reporter.replica(LEADER)
    reporter.ready({ leader: 'p2', term: 1, configVersion: 1, configHash: '' })
    clock.advance(1_000)
    looks.length = 0
    return { clock, looks, said, missing, reporter }
  }

  it('is looked for every second until a node is ready, and then seldom', () => {
    const clock = manualClock()
    let looks = 0
    reporterOn(new EventTarget(), clock, () => {
      looks++
      return []
    }).listening([])
    clock.advance(20_000)
    expect(looks).toBe(20)
    const idle = ready()
    idle.clock.advance(60_000)
    expect(idle.looks).toHaveLength(6)
  })

  it('is said a second after a leader was lost, and looked for every second until there is one', () => {
    const { clock, looks, said, missing, reporter } = ready()
    clock.advance(3_500)
    missing.push('a majority')
    const lostAt = clock.now()
    reporter.replica({ type: 'leader', term: 1, leader: undefined })
    clock.advance(3_000)
    expect(looks).toEqual([lostAt + 1_000, lostAt + 2_000, lostAt + 3_000])
    expect(said).toEqual([['a majority']])
    missing.length = 0
    reporter.replica({ ...LEADER, term: 2 })
    clock.advance(1_000)
    looks.length = 0
    clock.advance(10_000)
    expect(looks).toHaveLength(1)
  })

  it('is looked for a second after an alarm or news of a member, however many there are', () => {
    for (const news of [
      { type: 'alarm', code: 'clone', detail: '' },
      { type: 'member', peerId: 'p3', role: 'removed' }
    ] as const) {
      const { clock, looks, reporter } = ready()
      const at = clock.now()
      for (let i = 0; i < 5; i++) {
        reporter.replica(news)
        clock.advance(300)
      }
      expect(looks).toEqual([at + 1_000])
    }
  })

  it('is looked for no more when the node ends', () => {
    const { clock, reporter } = ready()
    reporter.ending(undefined)
    reporter.replica({ type: 'leader', term: 1, leader: undefined })
    expect(clock.pending).toBe(0)
  })
})
