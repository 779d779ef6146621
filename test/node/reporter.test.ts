/** Who hears of events: listeners of the name, listeners of all, and targets that do more than tell listeners. */
import { expect, it } from 'vitest'
import type { Home } from '../../src/node/home.ts'
import { Reporter } from '../../src/node/reporter.ts'
import { manualClock } from '../transport/manual-clock.ts'

const silent = () => {}

function reporterOn(events: EventTarget): Reporter {
  return new Reporter({
    home: { startedAt: 0, boot: 1, key: { signer: { peerId: 'p1' } } } as unknown as Home,
    clock: manualClock(),
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    events,
    foundingSize: () => 3,
    electionTimeoutMs: () => 100,
    waitingFor: () => []
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
