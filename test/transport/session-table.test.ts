import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { FrameKind } from '../../src/transport/framing.ts'
import type { Admitted } from '../../src/transport/gate.ts'
import { SessionTable, type Link } from '../../src/transport/session-table.ts'
import { manualClock } from './manual-clock.ts'

const kindName = Object.fromEntries(Object.entries(FrameKind).map(([name, kind]) => [kind, name]))

/** We are `m`; peers are `a` (lower) and `z` (higher). */
function world(closesLinks = true) {
  const clock = manualClock()
  const log: string[] = []
  const table = new SessionTable({
    self: 'm',
    clock,
    probeTimeoutMs: 1_000,
    idleProbeMs: 60_000,
    closesLinks,
    onOpen: ({ peerId }) => log.push(`open ${peerId}`),
    onClose: (peerId, reason) => log.push(`close ${peerId}: ${reason}`),
    onFrame: (peerId, body) => log.push(`frame ${peerId} ${Buffer.from(body).toString()}`)
  })
  const link = (
    name: string,
    peerId: string,
    { dialledByUs = true, sequence = 1, instance = 'one', storeId = 's' } = {}
  ): Link & { bytesReceived: number } => ({
    bytesReceived: 0,
    admitted: { peerId, storeId } as Admitted,
    instance,
    dialledByUs,
    sequence,
    send(kind) {
      log.push(`${name} sends ${kindName[kind]}`)
      return true
    },
    close: (reason) => log.push(`${name} closes: ${reason}`),
    abort: (reason) => log.push(`${name} aborts: ${reason}`)
  })
  const take = (): string[] => log.splice(0)
  return { table, clock, link, take }
}

const frame = (kind: FrameKind) => ({ kind, body: new Uint8Array(0) })

describe('SessionTable', () => {
  test('a link opens a session, its end closes it', () => {
    const { table, link, take } = world()
    const one = link('one', 'z')
    table.opened(one)
    expect(table.send('z', utf8('x'))).toBe(true)
    table.received(one, { kind: FrameKind.data, body: utf8('y') })
    table.closed(one, 'gone')
    table.closed(one, 'gone again')
    table.received(one, { kind: FrameKind.data, body: utf8('late') })
    expect(table.send('z', utf8('x'))).toBe(false)
    expect(take()).toEqual(['open z', 'one sends data', 'frame z y', 'close z: gone'])
  })

  test('when the newest link is the one that survives, the older one retires at once', () => {
    const { table, link, take, clock } = world()
    const [theirs, ours] = [link('theirs', 'z', { dialledByUs: false }), link('ours', 'z')]
    table.opened(theirs)
    table.opened(ours)
    expect(take()).toEqual(['open z', 'theirs sends retired'])
    table.send('z', utf8('x'))
    table.received(theirs, { kind: FrameKind.data, body: utf8('on its way') })
    table.received(theirs, frame(FrameKind.retired))
    table.closed(theirs, 'retired')
    clock.advance(10_000)
    expect(take()).toEqual([
      'ours sends data',
      'frame z on its way',
      'theirs closes: another connection to the peer survives'
    ])
  })

  test('when the older link should survive it must answer first; meanwhile frames leave on the newest', () => {
    const { table, link, take } = world()
    const [ours, theirs] = [link('ours', 'z'), link('theirs', 'z', { dialledByUs: false })]
    table.opened(ours)
    table.opened(theirs)
    table.send('z', utf8('x'))
    expect(take()).toEqual(['open z', 'ours sends probe', 'theirs sends data'])
    table.received(ours, frame(FrameKind.echo))
    table.send('z', utf8('x'))
    expect(take()).toEqual(['theirs sends retired', 'ours sends data'])
  })

  test('the dial of the lower PeerId survives, also when that is the peer', () => {
    const { table, link, take } = world()
    table.opened(link('ours', 'a'))
    table.opened(link('theirs', 'a', { dialledByUs: false }))
    expect(take()).toEqual(['open a', 'ours sends retired'])
  })

  test('of two dials by the same side the later survives', () => {
    const { table, link, take } = world()
    table.opened(link('second', 'a', { sequence: 2 }))
    table.opened(link('first', 'a', { sequence: 1 }))
    expect(take()).toEqual(['open a', 'second sends probe'])
    table.opened(link('third', 'a', { sequence: 3 }))
    expect(take()).toEqual(['second sends retired', 'first sends retired'])
  })

  test('a dead link that should have survived is cut, and the session lives on', () => {
    const { table, link, take, clock } = world()
    const [dead, alive] = [link('dead', 'z'), link('alive', 'z', { dialledByUs: false })]
    table.opened(dead)
    table.opened(alive)
    clock.advance(999)
    expect(take()).toEqual(['open z', 'dead sends probe'])
    clock.advance(1)
    table.closed(dead, 'cut')
    expect(take()).toEqual(['dead aborts: no answer within 1000 ms'])
    table.send('z', utf8('x'))
    clock.advance(10_000)
    expect(take()).toEqual(['alive sends data'])
  })

  test('when the survivor dies right after the change, the retired link carries on', () => {
    const { table, link, take, clock } = world()
    const [ours, theirs] = [link('ours', 'z'), link('theirs', 'z', { dialledByUs: false })]
    table.opened(theirs)
    table.opened(ours)
    table.closed(ours, 'broke')
    take()
    table.send('z', utf8('x'))
    // Data after the peer's `retired` says that the peer carries on as well.
    table.received(theirs, frame(FrameKind.retired))
    table.received(theirs, { kind: FrameKind.data, body: utf8('still here') })
    clock.advance(10_000)
    expect(take()).toEqual(['theirs sends data', 'frame z still here'])
  })

  test('a retired link whose peer says nothing is closed after a while', () => {
    const { table, link, take, clock } = world()
    table.opened(link('theirs', 'z', { dialledByUs: false }))
    table.opened(link('ours', 'z'))
    take()
    clock.advance(2_000)
    expect(take()).toEqual(['theirs closes: retired; the peer did not answer'])
  })

  test('another instance is another process: close, then open, and nothing of the old one is heard', () => {
    const { table, link, take } = world()
    const old = link('old', 'z')
    const next = link('next', 'z', { dialledByUs: false, instance: 'two' })
    table.opened(old)
    table.opened(next)
    table.received(old, { kind: FrameKind.data, body: utf8('of the dead') })
    table.closed(old, 'cut')
    table.send('z', utf8('x'))
    expect(take()).toEqual([
      'open z',
      'close z: the peer restarted',
      'old aborts: the peer restarted',
      'open z',
      'next sends data'
    ])
  })

  test('another store is another incarnation', () => {
    const { table, link, take } = world()
    table.opened(link('old', 'z'))
    table.opened(link('next', 'z', { storeId: 'other' }))
    expect(take().filter((line) => / z/.test(line))).toEqual(['open z', 'close z: the peer restarted', 'open z'])
  })

  test('in a node that is not ours the other link stays as a spare', () => {
    const { table, link, take, clock } = world(false)
    const [theirs, ours] = [link('theirs', 'z', { dialledByUs: false }), link('ours', 'z')]
    table.opened(theirs)
    table.opened(ours)
    clock.advance(10_000)
    table.closed(ours, 'broke')
    table.send('z', utf8('x'))
    expect(take()).toEqual(['open z', 'theirs sends data'])
  })

  test('a probe is echoed; unknown kinds and goodbyes end the link', () => {
    const { table, link, take } = world()
    const one = link('one', 'z')
    table.opened(one)
    table.received(one, frame(FrameKind.probe))
    table.received(one, frame(FrameKind.echo))
    table.received(one, frame(FrameKind.hello))
    table.received(one, frame(FrameKind.bye))
    expect(take()).toEqual([
      'open z',
      'one sends echo',
      'one aborts: a frame of unknown kind 1',
      'one aborts: the peer closed the session'
    ])
  })

  test('silence is probed, then the link is cut; anything that comes ends the silence', () => {
    const { table, link, take, clock } = world()
    const one = link('one', 'z')
    table.opened(one)
    take()
    clock.advance(60_000)
    expect(take()).toEqual(['one sends probe'])
    clock.advance(60_000)
    // A part of a frame is enough.
    one.bytesReceived += 1
    clock.advance(60_000)
    expect(take()).toEqual([])
    clock.advance(120_000)
    expect(take()).toEqual(['one sends probe'])
    clock.advance(60_000)
    expect(take()).toEqual(['one aborts: silent for 180000 ms'])
    table.closed(one, 'cut')
    take()
    expect(clock.pending).toBe(0)
  })

  test('a link that is used is never probed', () => {
    const { table, link, take, clock } = world()
    const one = link('one', 'z')
    table.opened(one)
    for (let i = 0; i < 20; i++) {
      one.bytesReceived += 100
      clock.advance(50_000)
    }
    expect(take()).toEqual(['open z'])
  })

  test('close ends the session now and the links after it', () => {
    const { table, link, take, clock } = world()
    table.opened(link('one', 'z'))
    table.opened(link('two', 'z', { dialledByUs: false }))
    take()
    table.close('z', 'revoked')
    table.close('z', 'revoked')
    expect(take()).toEqual(['close z: revoked', 'one closes: revoked', 'two closes: revoked'])
    expect(clock.pending).toBe(0)
  })
})
