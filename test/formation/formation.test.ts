import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { setName, World } from './world.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g']

function founders(foundingSize: number, init = {}): World {
  const world = new World({ foundingSize, random: seededRandom('formation'), ...init })
  for (let i = 0; i < foundingSize; i++) world.add(NAMES[i]!, i + 1)
  return world
}

const startAll = (world: World): void => {
  for (const name of world.machines.keys()) world.start(name)
}

const formed = (world: World): string[] =>
  [...world.machines.values()].filter((machine) => machine.certificate !== undefined).map((machine) => machine.name)

describe('a founding without faults', () => {
  it.each([1, 2, 3, 4, 5, 7])('of %i founders ends with one certificate on all of them', (foundingSize) => {
    const world = founders(foundingSize)
    startAll(world)
    world.run(100)
    expect(formed(world)).toEqual(NAMES.slice(0, foundingSize))
    expect(world.certified.size).toBe(1)
    expect(world.violations).toEqual([])
  })

  it('takes one campaign, of the lowest seat, and a bounded number of messages', () => {
    for (const foundingSize of [2, 3, 5, 7]) {
      const campaigns: string[] = []
      const world = founders(foundingSize, {
        onEvent: (_at: number, machine: { name: string }, event: { type: string }) => {
          if (event.type === 'campaign') campaigns.push(machine.name)
        }
      })
      startAll(world)
      world.run(1_000)
      expect(campaigns).toEqual(['a'])
      expect(world.messages).toBeLessThanOrEqual(foundingSize * foundingSize + 5 * foundingSize)
    }
  })

  it('takes four delays and three writes after the last founder connects, the leader one less', () => {
    const world = founders(3, { delayMs: [10, 10], writeMs: [5, 5], rankStepMs: 50 })
    startAll(world)
    const connected = 10
    world.run(connected + 3 * 10 + 3 * 5 - 1)
    expect(formed(world)).toEqual([])
    world.run(1)
    expect(formed(world)).toEqual(['a'])
    world.run(10)
    expect(formed(world)).toEqual(['a', 'b', 'c'])
  })
})

describe('silence is never absence', () => {
  it('waits for ever for the last founder, and names what is missing', () => {
    const world = founders(3)
    world.start('a')
    world.start('c')
    world.run(3_600_000)
    expect(formed(world)).toEqual([])
    expect(world.messages).toBe(0)
    const status = world.machine('a').formation!.status()
    expect(status.stage).toBe('gathering')
    expect(status.missingSeats).toEqual([2])
    expect(status.present.map((claim) => claim.peerId)).toEqual(['a', 'c'])
    world.start('b')
    world.run(50)
    expect(formed(world)).toEqual(['a', 'b', 'c'])
  })
})

it('names the founders of the set by seat', () => {
  const world = founders(3)
  startAll(world)
  world.run(50)
  expect(setName(world.machine('b').certificate!.set)).toBe('a#1 b#1 c#1')
})
