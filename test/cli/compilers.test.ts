import { expect, it } from 'vitest'
import { Compilers } from '../../src/cli/compilers.ts'
import type { StampedNodeEvent } from '../../src/node/types.ts'
import { manualClock } from '../transport/manual-clock.ts'

function world() {
  const clock = manualClock()
  const said: string[] = []
  const compilers = new Compilers(clock, {
    restCompilers: () => void said.push(`rest ${clock.now()}`),
    wakeCompilers: () => void said.push(`wake ${clock.now()}`)
  })
  const hear = (event: string, status?: string): void =>
    compilers.hear({ event, status } as unknown as StampedNodeEvent)
  return { clock, said, compilers, hear }
}

it('rest while peers come, work when it is quiet, and rest again when the next one comes', () => {
  const { clock, said, compilers, hear } = world()
  compilers.rest()
  clock.advance(299)
  hear('peer', 'authenticated')
  clock.advance(299)
  expect(said).toEqual(['rest 0'])
  clock.advance(1)
  hear('peer', 'discovered')
  hear('peer', 'disconnected')
  hear('stage')
  clock.advance(1_000)
  expect(said).toEqual(['rest 0', 'wake 599'])
  hear('peer', 'authenticated')
  hear('peer', 'authenticated')
  expect(said.slice(2)).toEqual(['rest 1599'])
})

it.each(['ready', 'stopped'])('work for good when the node is %s', (event) => {
  const { clock, said, compilers, hear } = world()
  compilers.rest()
  clock.advance(20)
  hear(event)
  compilers.end()
  hear('peer', 'authenticated')
  compilers.rest()
  clock.advance(1_000)
  expect(said).toEqual(['rest 0', 'wake 20'])
  expect(clock.pending).toBe(0)
})

it('have nothing to wake up from in a node that is ready before it is said to listen', () => {
  const { said, compilers, hear } = world()
  hear('ready')
  compilers.rest()
  expect(said).toEqual([])
})
