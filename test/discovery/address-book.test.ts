import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTcpAddress } from '../../src/discovery/address.ts'
import type { TcpAddress } from '../../src/discovery/address.ts'
import { AddressBook } from '../../src/discovery/mdns/address-book.ts'
import type { Announcement } from '../../src/discovery/mdns/records.ts'
import type { PeerHint } from '../../src/discovery/port.ts'

const address = (port: number, host = '10.0.0.1'): TcpAddress => parseTcpAddress(`/ip4/${host}/tcp/${port}`)!

const announcement = (peerId: string, instance: string, ...ports: number[]): Announcement => ({
  peerId,
  instance,
  ttlS: 120,
  addresses: ports.map((port) => address(port))
})

const from = (source: string, interfaceName = 'eth0'): { interfaceName: string; source: string } => ({
  interfaceName,
  source
})

describe('the address book', () => {
  it('a second voice for a peer is heard beside the first and cannot silence it', () => {
    const book = new AddressBook()
    book.hear(announcement('zoe', 'a', 1), from('10.0.0.1'), 0)
    const [hint] = book.hear(announcement('zoe', 'b', 11, 12, 13, 14, 15, 16), from('10.0.0.66'), 1)
    expect(hint!.addresses).toHaveLength(6)
    expect(hint!.addresses).toContain('/ip4/10.0.0.1/tcp/1')
    expect(book.goodbye('a', from('10.0.0.66'), 2)).toEqual([])
    expect(book.goodbye('b', from('10.0.0.66'), 3)).toEqual([
      { source: 'mdns', peerId: 'zoe', addresses: ['/ip4/10.0.0.1/tcp/1'] }
    ])
    expect(book.goodbye('a', from('10.0.0.1'), 4)).toEqual([
      { source: 'mdns', peerId: 'zoe', addresses: [], gone: true }
    ])
    expect(book.size).toBe(0)
  })

  it('a goodbye that comes late, for a name that was replaced, is not one', () => {
    const book = new AddressBook()
    book.hear(announcement('zoe', 'old', 1), from('10.0.0.1'), 0)
    book.hear(announcement('zoe', 'new', 2), from('10.0.0.1'), 1)
    expect(book.goodbye('old', from('10.0.0.1'), 2)).toEqual([])
    expect(book.size).toBe(1)
  })

  it('new peers come in at a bounded rate; known ones are always heard', () => {
    const book = new AddressBook({ newPeersBurst: 10, newPeersPerSecond: 2 })
    for (let i = 0; i < 100; i++) book.hear(announcement(`p${i}`, `i${i}`, 1), from('10.0.0.1'), 0)
    expect(book.size).toBe(10)
    expect(book.hear(announcement('p0', 'i0', 2), from('10.0.0.1'), 0)).toHaveLength(1)
    for (let i = 0; i < 100; i++) book.hear(announcement(`p${i}`, `i${i}`, 1), from('10.0.0.1'), 5_000)
    expect(book.size).toBe(20)
  })

  it('addresses of several interfaces are united; one interface that goes takes only its own', () => {
    const book = new AddressBook()
    book.hear(announcement('zoe', 'a', 1), from('10.0.0.1', 'eth0'), 0)
    book.hear(announcement('zoe', 'a', 2), from('10.9.0.1', 'eth1'), 1)
    expect(book.forgetInterface('eth1', 2)).toEqual([
      { source: 'mdns', peerId: 'zoe', addresses: ['/ip4/10.0.0.1/tcp/1'] }
    ])
    expect(book.knows('a')).toBe(true)
    expect(book.forgetInterface('eth0', 3)).toMatchObject([{ peerId: 'zoe', gone: true }])
    expect(book.knows('a')).toBe(false)
  })

  it('known answers are those with more than half of their time left', () => {
    const book = new AddressBook()
    book.hear(announcement('zoe', 'a', 1), from('10.0.0.1'), 0)
    expect(book.knownAnswers('eth0', 59_000)).toEqual([{ instance: 'a', ttlS: 61 }])
    expect(book.knownAnswers('eth1', 0)).toEqual([])
    expect(book.knownAnswers('eth0', 61_000)).toEqual([])
    expect(book.expire(119_999)).toEqual([])
    expect(book.expire(120_000)).toMatchObject([{ gone: true }])
  })

  it('a time to live of a year ends after two minutes', () => {
    const book = new AddressBook()
    book.hear({ ...announcement('zoe', 'a', 1), ttlS: 31_536_000 }, from('10.0.0.1'), 0)
    expect(book.expire(120_000)).toHaveLength(1)
  })

  it('whatever is said: caps hold, and the hints tell exactly what the book holds', () => {
    const peer = fc.integer({ min: 0, max: 9 }).map((n) => `p${n}`)
    const voice = fc.record({
      interfaceName: fc.constantFrom('eth0', 'eth1'),
      source: fc.integer({ min: 1, max: 9 }).map((n) => `10.0.0.${n}`)
    })
    const action = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.tuple(
          fc.constant('hear' as const),
          peer,
          voice,
          fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 9 }),
          fc.nat(3)
        )
      },
      fc.tuple(fc.constant('goodbye' as const), peer, voice, fc.nat(3)),
      fc.tuple(fc.constant('forget' as const), fc.constantFrom('eth0', 'eth1')),
      fc.tuple(fc.constant('wait' as const), fc.integer({ min: 0, max: 70_000 }))
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const book = new AddressBook({ peersMax: 6 })
        const told = new Map<string, readonly string[]>()
        const tell = (hints: readonly PeerHint[]): void => {
          for (const { peerId, addresses, gone } of hints) {
            if (gone === true) told.delete(peerId!)
            else told.set(peerId!, addresses)
            expect(addresses.length).toBeLessThanOrEqual(6)
          }
        }
        let now = 0
        for (const step of actions) {
          switch (step[0]) {
            case 'hear':
              tell(book.hear(announcement(step[1], `${step[1]}-${step[4]}`, ...step[3], 1), step[2], now))
              break
            case 'goodbye':
              tell(book.goodbye(`${step[1]}-${step[3]}`, step[2], now))
              break
            case 'forget':
              tell(book.forgetInterface(step[1], now))
              break
            case 'wait':
              now += step[1]
              expect(book.nextExpiryAt()).toBeGreaterThan(now - step[1])
              tell(book.expire(now))
              break
          }
          expect(book.size).toBeLessThanOrEqual(6)
          expect(told.size).toBe(book.size)
        }
        tell(book.expire(now + 120_000))
        expect([book.size, told.size, book.nextExpiryAt()]).toEqual([0, 0, Infinity])
      }),
      { numRuns: 300 }
    )
  })
})
