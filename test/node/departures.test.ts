/** When the rest of a lost session is told. */
import { expect, test } from 'vitest'
import { Departures } from '../../src/node/departures.ts'
import { manualClock } from '../transport/manual-clock.ts'

function made() {
  const clock = manualClock()
  const departures = new Departures(clock)
  const heard: string[] = []
  const lose = (who: string, wasLeader = false): void => departures.add(wasLeader, () => heard.push(who))
  return { clock, departures, heard, lose }
}

test('whoever did not lead is told at once, a leader when an election is over, in order', () => {
  const { clock, heard, lose } = made()
  lose('a')
  expect(heard).toEqual(['a'])
  lose('leader', true)
  clock.advance(20)
  lose('b')
  lose('next leader', true)
  expect(heard).toEqual(['a'])
  clock.advance(5)
  expect(heard).toEqual(['a', 'leader', 'b', 'next leader'])
  clock.advance(1_000)
  lose('c')
  expect(heard).toEqual(['a', 'leader', 'b', 'next leader', 'c'])
})

test('everything is told before what has to come after it, once', () => {
  const { clock, departures, heard, lose } = made()
  lose('leader', true)
  departures.settle()
  expect(heard).toEqual(['leader'])
  clock.advance(1_000)
  departures.settle()
  expect(heard).toEqual(['leader'])
  lose('leader', true)
  departures.settle()
  heard.length = 1
  clock.advance(20)
  lose('again', true)
  clock.advance(24)
  expect(heard).toEqual(['leader'])
  clock.advance(1)
  expect(heard).toEqual(['leader', 'again'])
})
