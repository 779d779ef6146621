/** What is saved on the way of a frame, and that objects of another shape are left alone. */
import type { MessageStream, PeerId, PeerStore, Stream, StreamMuxer } from '@libp2p/interface'
import { describe, expect, it } from 'vitest'
import { TypedEventEmitter } from 'main-event'
import {
  gatherWrites,
  pingLater,
  silence,
  spareEvents,
  spareRecords,
  thriftyWindow
} from '../../src/transport/libp2p/thrift.ts'
import { type ManualClock, manualClock } from './manual-clock.ts'

describe('gatherWrites', () => {
  it('hands on one piece for whatever was sent in one call', () => {
    const sent: unknown[] = []
    const connection = { send: (data: unknown) => sent.push(data) > 0 } as unknown as MessageStream
    gatherWrites(connection)
    const list = { subarray: () => Uint8Array.of(1, 2, 3) } as unknown as Parameters<MessageStream['send']>[0]
    expect(connection.send(list)).toBe(true)
    expect(connection.send(Uint8Array.of(4))).toBe(true)
    expect(sent).toEqual([Uint8Array.of(1, 2, 3), Uint8Array.of(4)])
  })
})

describe('spareEvents', () => {
  it('tells whoever listens, and makes no event for nobody', () => {
    const stream = new TypedEventEmitter<{ idle: CustomEvent<string>; drain: Event }>()
    const dispatched: string[] = []
    const dispatch = stream.dispatchEvent.bind(stream)
    stream.dispatchEvent = (event) => {
      dispatched.push(event.type)
      return dispatch(event)
    }
    spareEvents(stream as unknown as MessageStream)
    const heard: string[] = []
    const listener = ({ detail }: CustomEvent<string>): void => void heard.push(detail)
    expect(stream.safeDispatchEvent('idle', { detail: 'early' })).toBe(true)
    stream.addEventListener('idle', listener)
    expect(stream.safeDispatchEvent('idle', { detail: 'now' })).toBe(true)
    stream.removeEventListener('idle', listener)
    stream.safeDispatchEvent('idle', { detail: 'late' })
    expect(heard).toEqual(['now'])
    expect(dispatched).toEqual(['idle'])
  })
})

describe('spareRecords', () => {
  it('keeps tags, and nothing of what libp2p writes down about a connection', async () => {
    const merged: unknown[] = []
    const store = {
      merge(id: PeerId, data: unknown, options: unknown) {
        merged.push([this === store, id, data, options])
        return Promise.resolve({ id, protocols: ['kept'] })
      }
    }
    const peerStore = store as unknown as PeerStore
    spareRecords(peerStore)
    const id = { name: 'a peer' } as unknown as PeerId
    const nothing = { id, addresses: [], protocols: [], metadata: new Map(), tags: new Map() }
    await expect(peerStore.merge(id, { protocols: ['/quorate/frames/1.0.0'] })).resolves.toEqual(nothing)
    await expect(peerStore.merge(id, { multiaddrs: [], metadata: {} })).resolves.toEqual(nothing)
    expect(merged).toEqual([])
    const tags = { tags: { kept: undefined } }
    const options = { signal: AbortSignal.abort() }
    await expect(peerStore.merge(id, tags, options)).resolves.toEqual({ id, protocols: ['kept'] })
    expect(merged).toEqual([[true, id, tags, options]])
  })
})

describe('thriftyWindow', () => {
  const yamux = (state: number) => ({
    recvWindow: 100,
    recvWindowCapacity: 100,
    state,
    updates: 0,
    sendWindowUpdate() {
      this.updates += 1
      this.recvWindowCapacity = this.recvWindow
    },
    receive(bytes: number) {
      this.recvWindowCapacity -= bytes
      this.sendWindowUpdate()
    }
  })

  it('tells the sender to go on when half of the window is used up', () => {
    const stream = yamux(3)
    thriftyWindow(stream as unknown as Stream)
    for (let i = 0; i < 4; i++) stream.receive(10)
    expect(stream.updates).toBe(0)
    stream.receive(10)
    expect(stream.updates).toBe(1)
    stream.receive(100)
    expect(stream.updates).toBe(2)
  })

  it('keeps quiet in no other state: an update also accepts a stream, and ends a pause', () => {
    for (const state of [0, 1, 2, 4, 5]) {
      const stream = yamux(state)
      thriftyWindow(stream as unknown as Stream)
      stream.receive(1)
      expect(stream.updates).toBe(1)
    }
  })

  it('leaves the streams of another muxer alone', () => {
    const stream = { send: () => true }
    thriftyWindow(stream as unknown as Stream)
    expect(Object.keys(stream)).toEqual(['send'])
  })
})

describe('pingLater', () => {
  function delayed(muxer: object): { clock: ManualClock; connection: TypedEventEmitter<{ close: Event }> } {
    const clock = manualClock()
    const connection = new TypedEventEmitter<{ close: Event }>()
    pingLater(muxer as StreamMuxer, connection as unknown as MessageStream, clock)
    return { clock, connection }
  }

  const pinging = (): { pings: number; status: string; ping(): Promise<number> } => ({
    pings: 0,
    status: 'open',
    ping() {
      this.pings += 1
      return Promise.reject(new Error('nobody answers'))
    }
  })

  it('lets the first ping wait for a second, and the next ones leave as they come', async () => {
    const muxer = pinging()
    const { clock } = delayed(muxer)
    await expect(muxer.ping()).resolves.toBe(0)
    clock.advance(999)
    expect(muxer.pings).toBe(0)
    clock.advance(1)
    expect(muxer.pings).toBe(1)
    await expect(muxer.ping()).rejects.toThrow('nobody answers')
    expect(muxer.pings).toBe(2)
  })

  it('sends none on a connection or through a muxer that has closed, and leaves no timer behind', () => {
    const closed = pinging()
    const { clock, connection } = delayed(closed)
    connection.safeDispatchEvent('close')
    expect(clock.pending).toBe(0)
    const closing = { ...pinging(), status: 'closing' }
    delayed(closing).clock.advance(1_000)
    expect(closing.pings).toBe(0)
  })

  it('leaves a muxer alone that does not ping', () => {
    const muxer = {}
    expect(delayed(muxer).clock.pending).toBe(0)
    expect(muxer).toEqual({})
  })
})

describe('silence', () => {
  it('is a logger in every scope', () => {
    const log = silence.forComponent('libp2p:tcp').newScope('socket')
    expect(log.enabled).toBe(false)
    expect([log('%s', 1), log.error('%e', new Error('lost')), log.trace('%s', 2)]).toEqual([
      undefined,
      undefined,
      undefined
    ])
  })
})
