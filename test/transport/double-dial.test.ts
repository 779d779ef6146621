/**
 * Double dials under every order of deliveries that chance finds: no frame is lost, no session flickers, one link is left.
 * A failure prints the seed; put it into `seeds` to keep it.
 */
import { describe, expect, test } from 'vitest'
import { EventLog, toyGate } from '../../src/conformance/transport.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { seededRandom, type Random } from '../../src/core/random.ts'
import { MemoryHub } from '../../src/transport/memory.ts'
import type { MeasuredTransport } from '../../src/transport/port.ts'
import { manualClock } from './manual-clock.ts'

interface Node {
  readonly id: string
  readonly transport: MeasuredTransport
  readonly log: EventLog
}

/** Steps of the world: one delivery, chosen by chance, and what follows from it in promises. */
async function settle(waiting: (() => void)[], random: Random, each: () => void = () => {}): Promise<void> {
  for (let step = 0; step < 5_000; step++) {
    for (let i = 0; i < 5; i++) await Promise.resolve()
    if (waiting.length === 0) return
    each()
    waiting.splice(random.int(0, waiting.length - 1), 1)[0]!()
  }
  throw new Error('the world does not come to rest')
}

async function pairOf(hub: MemoryHub): Promise<[Node, Node]> {
  const make = async (id: string): Promise<Node> => {
    const transport = hub.transport({ peerId: id, gate: toyGate() })
    const log = new EventLog()
    await transport.start(log)
    return { id, transport, log }
  }
  return [await make('a'), await make('b')]
}

const dial = (from: Node, to: Node): Promise<unknown> =>
  from.transport
    .dial({ peerId: to.id, addresses: to.transport.addresses() }, { signal: new AbortController().signal })
    .catch((error: unknown) => error)

const seeds = Array.from({ length: 300 }, (_, i) => i)

describe('double dials', () => {
  test('no frame is lost and no session flickers, whatever the order', async () => {
    for (const seed of seeds) {
      const random = seededRandom(`double dial ${seed}`)
      const waiting: (() => void)[] = []
      const clock = manualClock()
      const [a, b] = await pairOf(new MemoryHub({ clock, schedule: (deliver) => void waiting.push(deliver) }))
      const sent: Record<string, string[]> = { a: [], b: [] }
      const dials = [dial(a, b), dial(b, a)]
      await settle(waiting, random, () => {
        const [from, to] = random.int(0, 1) === 0 ? [a, b] : [b, a]
        if (random.int(0, 3) > 0 || sent[from.id]!.length >= 30 || !from.log.sessions.has(to.id)) return
        const text = `${from.id}${sent[from.id]!.length}`
        if (from.transport.send(to.id, utf8(text))) sent[from.id]!.push(text)
      })
      await Promise.all(dials)
      const told = `seed ${seed}\n${a.log.lines.join('\n')}\n--\n${b.log.lines.join('\n')}`
      expect(b.log.texts('a').toSorted(), told).toEqual(sent['a']!.toSorted())
      expect(a.log.texts('b').toSorted(), told).toEqual(sent['b']!.toSorted())
      expect([a.log.lines.filter((line) => /^(open|close)/.test(line)), seed]).toEqual([['open b'], seed])
      expect([b.log.lines.filter((line) => /^(open|close)/.test(line)), seed]).toEqual([['open a'], seed])
    }
  })

  test('a peer that lost its side of the connection dials again, and both end up with one that works', async () => {
    for (const seed of seeds.slice(0, 100)) {
      const random = seededRandom(`half dead ${seed}`)
      const waiting: (() => void)[] = []
      const clock = manualClock()
      const hub = new MemoryHub({ clock, schedule: (deliver) => void waiting.push(deliver) })
      const [a, b] = await pairOf(hub)
      const [first, other] = random.int(0, 1) === 0 ? [a, b] : [b, a]
      const dialling = dial(first, other)
      await settle(waiting, random)
      await dialling
      // A firewall forgets the connection; one side gives the session up and cannot say so.
      hub.blackhole('a', 'b')
      const [left, stays] = random.int(0, 1) === 0 ? [a, b] : [b, a]
      await left.transport.disconnect(stays.id, 'no heartbeat')
      await settle(waiting, random)
      expect(stays.log.sessions.has(left.id)).toBe(true)
      const again = dial(left, stays)
      await settle(waiting, random)
      await again
      // Long enough for a probe, not for anything slower.
      clock.advance(1_000)
      await settle(waiting, random)
      for (const [from, to] of [[a, b] as const, [b, a] as const]) {
        expect([from.log.sessions.has(to.id), seed]).toEqual([true, seed])
        expect(from.transport.send(to.id, utf8(`after ${seed}`))).toBe(true)
      }
      await settle(waiting, random)
      expect([a.log.texts('b'), b.log.texts('a'), seed]).toEqual([[`after ${seed}`], [`after ${seed}`], seed])
    }
  })
})
