/** The driver with a replica that plays back what it is told to want: what becomes of writes, sends, timers and failures. */
import { describe, expect, it } from 'vitest'
import type { Clock } from '../../src/core/clock.ts'
import { utf8 } from '../../src/core/bytes.ts'
import type { Admitted } from '../../src/membership/admission.ts'
import { Driver } from '../../src/node/driver.ts'
import type { ReplicaEffects, ReplicaEvent, ReplicaInput } from '../../src/replica/types.ts'

/** Time and the event loop by hand. */
class HandClock implements Clock {
  time = 0
  readonly timers = new Set<{ at: number; fn: () => void }>()
  readonly afterIoCalls: (() => void)[] = []

  now(): number {
    return this.time
  }

  wallNow(): number {
    return this.time
  }

  setTimer(delayMs: number, fn: () => void): { cancel(): void } {
    const timer = { at: this.time + delayMs, fn }
    this.timers.add(timer)
    return { cancel: () => void this.timers.delete(timer) }
  }

  afterIo(fn: () => void): void {
    this.afterIoCalls.push(fn)
  }

  /** The event loop comes to its timers at `time`, on time or not. */
  wakeAt(time: number): void {
    this.time = time
    for (const timer of [...this.timers]) {
      if (timer.at > time) continue
      this.timers.delete(timer)
      timer.fn()
    }
  }
}

type Wanted = Partial<ReplicaEffects>

function makeDriver({
  start = {},
  step = () => ({}),
  onEvent = () => {},
  sign = () => Promise.resolve(utf8('signature')),
  showFlush = false,
  showWire = false,
  showBegin = false
}: {
  showFlush?: boolean
  showWire?: boolean
  showBegin?: boolean
  start?: Wanted
  step?: (input: ReplicaInput) => Wanted
  onEvent?: (event: ReplicaEvent, driver: Driver) => void
  sign?: (payload: Uint8Array) => Promise<Uint8Array>
} = {}) {
  const clock = new HandClock()
  /** Everything that happened, in order. */
  const log: string[] = []
  const steps: ReplicaInput[] = []
  const writes: { resolve: () => void; reject: (error: Error) => void }[] = []
  const fatal: unknown[] = []
  const effects = (wanted: Wanted): ReplicaEffects => ({
    writes: [],
    sends: [],
    bulk: [],
    sign: [],
    outcomes: [],
    events: [],
    deadline: undefined,
    ...wanted
  })
  const driver: Driver = new Driver({
    replica: {
      start: () => effects(start),
      stepAll(inputs) {
        const types = inputs.map(({ type }) => type).join(' and ')
        log.push(`step ${types}`)
        steps.push(...inputs)
        const wanted = inputs.map((input) => effects(step(input)))
        log.push(`stepped ${types}`)
        return {
          writes: wanted.flatMap((one) => one.writes),
          sends: wanted.flatMap((one) => one.sends),
          bulk: wanted.flatMap((one) => one.bulk),
          sign: wanted.flatMap((one) => one.sign),
          outcomes: wanted.flatMap((one) => one.outcomes),
          events: wanted.flatMap((one) => one.events),
          deadline: wanted.at(-1)!.deadline
        }
      }
    },
    storage: {
      write(batch) {
        log.push(`write ${batch.cells?.[0]?.name ?? ''}`)
        // As the write-ahead log does: what one step writes shares a sync.
        if (showBegin) queueMicrotask(() => log.push('begun'))
        return new Promise((resolve, reject) => writes.push({ resolve, reject }))
      }
    },
    clock,
    send: (to, frame) => {
      log.push(`send ${new TextDecoder().decode(frame)} to ${to}`)
      // As the links do: what one turn brings leaves as one write.
      if (showWire) queueMicrotask(() => log.push('on the wire'))
    },
    ...(showFlush ? { flush: () => log.push('flush') } : {}),
    sendBulk: (to, frame) => log.push(`bulk ${new TextDecoder().decode(frame)} to ${to}`),
    sign,
    onEvent: (event) => {
      log.push(`event ${event.type}`)
      onEvent(event, driver)
    },
    onOutcome: ({ requestId }) => log.push(`outcome ${requestId}`),
    onFatal: (error) => fatal.push(error)
  })
  const said = (): readonly string[] => log.filter((line) => !line.startsWith('step'))
  return { clock, driver, log, said, steps, writes, fatal }
}

const write = (id: number): ReplicaEffects['writes'][number] => ({
  id,
  batch: { cells: [{ name: `w${id}`, value: new Uint8Array() }] }
})
const send = (to: string, text: string, after = 0): ReplicaEffects['sends'][number] => ({
  to,
  frame: utf8(text),
  after
})
const notice = (to: string, text: string): ReplicaEffects['sends'][number] => ({ ...send(to, text), tells: 'notice' })
const peer = (peerId: string): Admitted => ({ peerId }) as Admitted
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('writes and sends', () => {
  it('a frame leaves when the write that it rests on is durable, and not before', async () => {
    const { driver, said, steps, writes } = makeDriver({
      start: { writes: [write(1)], sends: [send('a', 'promise', 1), send('a', 'question')] }
    })
    driver.start()
    await settled()
    expect(said()).toEqual(['write w1', 'send question to a'])
    writes[0]!.resolve()
    await settled()
    expect(said()).toEqual(['write w1', 'send question to a', 'send promise to a'])
    expect(steps).toEqual([{ type: 'persisted', write: 1 }])
  })

  it('an acknowledgement is on the wire before the replica hears that its write is done', async () => {
    const { driver, log, writes } = makeDriver({
      start: { writes: [write(1)], sends: [send('a', 'promise', 1)] },
      showWire: true
    })
    driver.start()
    writes[0]!.resolve()
    await settled()
    expect(log).toEqual(['write w1', 'send promise to a', 'on the wire', 'step persisted', 'stepped persisted'])
  })

  it('frames of several writes leave in their order, each when its own write is durable', async () => {
    const { driver, said, writes } = makeDriver({
      start: {
        writes: [write(1), write(2)],
        sends: [send('a', 'one', 1), send('b', 'two', 2), send('a', 'three', 2)]
      }
    })
    driver.start()
    writes[0]!.resolve()
    await settled()
    expect(said().slice(2)).toEqual(['send one to a'])
    writes[1]!.resolve()
    await settled()
    expect(said().slice(2)).toEqual(['send one to a', 'send two to b', 'send three to a'])
  })

  it('what rests on a write that is durable already leaves at once', async () => {
    const { driver, said, writes } = makeDriver({
      start: { writes: [write(1)] },
      step: ({ type }) => (type === 'tick' ? { sends: [send('a', 'later', 1)] } : {})
    })
    driver.start()
    writes[0]!.resolve()
    await settled()
    driver.input({ type: 'tick' })
    expect(said()).toEqual(['write w1', 'send later to a'])
  })

  it('the order of one step is: hand to the store, send, tell', () => {
    const { driver, said } = makeDriver({
      start: {
        events: [{ type: 'member', peerId: 'b', role: 'voter' }],
        outcomes: [{ type: 'done', requestId: 'r', leader: undefined }],
        bulk: [{ to: 'a', frame: utf8('piece') }],
        sends: [send('a', 'x')],
        writes: [write(1)]
      }
    })
    driver.start()
    expect(said()).toEqual(['write w1', 'send x to a', 'bulk piece to a', 'event member', 'outcome r'])
  })

  it('a frame for a session that has ended is dropped, also when the peer is back before the write is durable', async () => {
    const { driver, said, writes } = makeDriver({
      start: { writes: [write(1)], sends: [send('a', 'for the first a', 1), send('b', 'for b', 1)] },
      step: ({ type }) => (type === 'session-open' ? { sends: [send('a', 'for the second a', 1)] } : {})
    })
    driver.start()
    driver.input({ type: 'session-close', peerId: 'a' })
    driver.input({ type: 'session-open', peer: peer('a') })
    writes[0]!.resolve()
    await settled()
    expect(said()).toEqual(['write w1', 'send for b to b', 'send for the second a to a'])
  })
})

describe('failures', () => {
  it('how far the log has committed is told at the end of the turn, the newest once', () => {
    const { clock, driver, said } = makeDriver({
      step: (input) => {
        const text = input.type === 'cancel' ? input.requestId : ''
        return { sends: [notice('a', `commit ${text}`), notice('b', `commit ${text}`)] }
      }
    })
    driver.start()
    driver.input({ type: 'cancel', requestId: '1' })
    driver.input({ type: 'cancel', requestId: '2' })
    expect(said()).toEqual([])
    expect(clock.afterIoCalls).toHaveLength(1)
    clock.afterIoCalls.shift()!()
    expect(said()).toEqual(['send commit 2 to a', 'send commit 2 to b'])
    driver.input({ type: 'cancel', requestId: '3' })
    clock.afterIoCalls.shift()!()
    expect(said().slice(2)).toEqual(['send commit 3 to a', 'send commit 3 to b'])
  })

  it('and not at all to whom an append tells it in the same turn, or whose session ends', () => {
    const steps: Record<string, ReplicaEffects['sends']> = {
      commit: [notice('a', 'commit'), notice('b', 'commit'), notice('c', 'commit')],
      append: [{ ...send('a', 'append'), tells: 'append' }, send('b', 'heartbeat')]
    }
    const { clock, driver, said } = makeDriver({
      step: (input) => ({ sends: input.type === 'cancel' ? steps[input.requestId]! : [] })
    })
    driver.start()
    driver.input({ type: 'cancel', requestId: 'commit' })
    driver.input({ type: 'cancel', requestId: 'append' })
    driver.input({ type: 'session-close', peerId: 'c' })
    for (const fn of clock.afterIoCalls) fn()
    expect(said()).toEqual(['send append to a', 'send heartbeat to b', 'send commit to b'])
    driver.input({ type: 'cancel', requestId: 'commit' })
    driver.stop()
    for (const fn of clock.afterIoCalls) fn()
    expect(said()).toHaveLength(3)
  })

  it('a failed write is the end: nothing is stepped, sent or armed after it', async () => {
    const { clock, driver, said, steps, writes, fatal } = makeDriver({
      start: { writes: [write(1), write(2)], sends: [send('a', 'never', 1)], deadline: 50 }
    })
    driver.start()
    const error = new Error('EIO')
    writes[0]!.reject(error)
    await settled()
    writes[1]!.resolve()
    await settled()
    driver.input({ type: 'tick' })
    expect(fatal).toEqual([error])
    expect(said()).toEqual(['write w1', 'write w2'])
    expect(steps).toEqual([])
    expect(clock.timers.size).toBe(0)
  })

  it('is told once when several writes fail', async () => {
    const { driver, writes, fatal } = makeDriver({ start: { writes: [write(1), write(2)] } })
    driver.start()
    for (const { reject } of writes) reject(new Error('EIO'))
    await settled()
    expect(fatal).toHaveLength(1)
  })

  it('a step that throws is the end, and what waits behind it is not stepped', () => {
    const error = new Error('bug')
    const { driver, steps, fatal } = makeDriver({
      step: () => {
        throw error
      }
    })
    driver.start()
    driver.input({ type: 'tick' })
    driver.input({ type: 'tick' })
    expect(fatal).toEqual([error])
    expect(steps).toHaveLength(1)
  })

  it('a signature that cannot be made is the end', async () => {
    const error = new Error('the key is gone')
    const { driver, fatal } = makeDriver({
      start: { sign: [{ purpose: { type: 'acceptance', term: 3 }, payload: utf8('set') }] },
      sign: () => Promise.reject(error)
    })
    driver.start()
    await settled()
    expect(fatal).toEqual([error])
  })

  it('a start that throws leaves nothing behind', async () => {
    const { clock, driver, steps, writes } = makeDriver({
      start: { writes: [write(1)], events: [{ type: 'member', peerId: 'b', role: 'voter' }], deadline: 10 },
      onEvent: () => {
        throw new Error('bug')
      }
    })
    expect(() => driver.start()).toThrow('bug')
    writes[0]!.resolve()
    await settled()
    expect(steps).toEqual([])
    expect(clock.timers.size).toBe(0)
  })
})

describe('one step at a time', () => {
  it('an input that arises while a step is carried out waits for its turn, in order', () => {
    const { driver, log } = makeDriver({
      step: ({ type }) =>
        type === 'tick' ? { events: [{ type: 'member', peerId: 'b', role: 'voter' }], sends: [send('a', 'x')] } : {},
      onEvent: (_, running) => {
        running.input({ type: 'cancel', requestId: '1' })
        running.input({ type: 'session-close', peerId: 'a' })
      }
    })
    driver.start()
    driver.input({ type: 'tick' })
    expect(log).toEqual([
      'step tick',
      'stepped tick',
      'send x to a',
      'event member',
      'step cancel',
      'stepped cancel',
      'step session-close',
      'stepped session-close'
    ])
  })

  it('an input from within the start comes after it', () => {
    const { driver, log } = makeDriver({
      start: { events: [{ type: 'member', peerId: 'b', role: 'voter' }], sends: [send('a', 'x')] },
      onEvent: (_, running) => running.input({ type: 'tick' })
    })
    driver.start()
    expect(log).toEqual(['send x to a', 'event member', 'step tick', 'stepped tick'])
  })

  it('signs and comes back with the signature', async () => {
    const payload = utf8('set')
    const purpose = { type: 'acceptance', term: 3 } as const
    const { driver, steps } = makeDriver({ start: { sign: [{ purpose, payload }] } })
    driver.start()
    await settled()
    expect(steps).toEqual([{ type: 'signed', purpose, payload, signature: utf8('signature') }])
  })
})

describe('heaps', () => {
  it('frames and requests of one microtask are one step; whatever else comes is taken at once, behind them', async () => {
    const { driver, log } = makeDriver()
    const frame = (from: string) => driver.input({ type: 'frame', from, frame: utf8('said') })
    const request = (requestId: string) => driver.input({ type: 'request', request: { type: 'leave', requestId } })
    driver.start()
    frame('a')
    request('1')
    expect(log).toEqual([])
    await settled()
    expect(log).toEqual(['step frame and request', 'stepped frame and request'])
    log.length = 0
    frame('a')
    frame('b')
    driver.input({ type: 'session-close', peerId: 'a' })
    driver.input({ type: 'tick' })
    request('2')
    await settled()
    expect(log.filter((line) => line.startsWith('step '))).toEqual([
      'step frame and frame',
      'step session-close',
      'step tick',
      'step request'
    ])
  })

  it('what waits for its microtask when the driver stops is never taken', async () => {
    const { driver, steps } = makeDriver()
    driver.start()
    driver.input({ type: 'frame', from: 'a', frame: utf8('said') })
    driver.stop()
    await settled()
    expect(steps).toEqual([])
  })
})

describe('an election', () => {
  const leaderless = { type: 'leader', term: 2, leader: undefined } as const

  it('has its messages written, and its writes begun, before it is reported', async () => {
    const { driver, log } = makeDriver({
      showFlush: true,
      showWire: true,
      showBegin: true,
      start: { writes: [write(1)], sends: [send('a', 'vote')], events: [leaderless] }
    })
    driver.start()
    queueMicrotask(() => log.push('after it'))
    expect(log).toEqual(['write w1', 'send vote to a', 'flush'])
    await settled()
    // The store has begun by then, which also takes a microtask.
    expect(log).toEqual(['write w1', 'send vote to a', 'flush', 'begun', 'on the wire', 'event leader', 'after it'])
  })

  it('does not wait for the end of the turn', () => {
    const { driver, log } = makeDriver({
      showFlush: true,
      start: { sends: [send('a', 'pre-vote')], events: [leaderless] }
    })
    driver.start()
    expect(log).toEqual(['send pre-vote to a', 'flush'])
  })

  it('and a founding, too', async () => {
    const { driver, log } = makeDriver({
      showFlush: true,
      start: { sends: [send('a', 'proposal')], events: [{ type: 'founding-leader', term: 1, votes: 3 }] }
    })
    driver.start()
    await settled()
    expect(log).toEqual(['send proposal to a', 'flush', 'event founding-leader'])
  })

  it('is reported in order, with all that comes after it, also what its own report leads to', async () => {
    const member = { type: 'member', peerId: 'b', role: 'voter' } as const
    const { driver, said } = makeDriver({
      start: { events: [leaderless, member], outcomes: [{ type: 'refused', requestId: 'r', code: 'c', detail: '' }] },
      step: ({ type }) => (type === 'tick' ? { events: [{ type: 'writable', term: 3 }] } : { events: [member] }),
      onEvent: ({ type }, running) => {
        if (type === 'leader') running.input({ type: 'tick' })
      }
    })
    driver.start()
    driver.input({ type: 'session-close', peerId: 'a' })
    expect(said()).toEqual([])
    await settled()
    expect(said()).toEqual(['event leader', 'event member', 'outcome r', 'event member', 'event writable'])
  })

  it('what its report leads to is told behind all of it', async () => {
    const { driver, said } = makeDriver({
      start: { events: [leaderless], outcomes: [{ type: 'refused', requestId: 'r', code: 'c', detail: '' }] },
      step: () => ({ events: [{ type: 'member', peerId: 'b', role: 'voter' }] }),
      onEvent: ({ type }, running) => {
        if (type === 'leader') running.input({ type: 'tick' })
      }
    })
    driver.start()
    await settled()
    expect(said()).toEqual(['event leader', 'outcome r', 'event member'])
  })

  it('is not reported once the driver has stopped', async () => {
    const { driver, said } = makeDriver({ start: { events: [leaderless] } })
    driver.start()
    driver.stop()
    await settled()
    expect(said()).toEqual([])
  })

  it('whose report throws is the end', async () => {
    const { driver, fatal } = makeDriver({
      start: { events: [leaderless] },
      onEvent: () => {
        throw new Error('bug')
      }
    })
    driver.start()
    await settled()
    expect(fatal).toEqual([new Error('bug')])
  })

  it('is the only thing that is in such a hurry: other messages leave together, at the end of the turn', () => {
    const { driver, log } = makeDriver({
      showFlush: true,
      start: { sends: [send('a', 'news')], events: [{ type: 'member', peerId: 'b', role: 'voter' }] }
    })
    driver.start()
    expect(log).toEqual(['send news to a', 'event member'])
  })
})

describe('the timer', () => {
  it('ticks at the deadline, and follows it when it moves', () => {
    let deadline: number | undefined = 100
    const { clock, driver, steps } = makeDriver({ start: { deadline }, step: () => ({ deadline }) })
    driver.start()
    deadline = 40
    driver.input({ type: 'cancel', requestId: '1' })
    clock.wakeAt(40)
    expect(steps.map(({ type }) => type)).toEqual(['cancel', 'tick'])
  })

  it('is set once while the deadline moves back a little, and waits on when it fires before it', () => {
    let deadline: number | undefined = 100
    const { clock, driver, steps } = makeDriver({ start: { deadline }, step: () => ({ deadline }) })
    driver.start()
    const [timer] = clock.timers
    for (deadline = 110; deadline < 150; deadline += 10) driver.input({ type: 'session-close', peerId: 'a' })
    expect([...clock.timers]).toEqual([timer])
    steps.length = 0
    deadline = 200
    clock.wakeAt(101)
    expect(steps).toEqual([])
    expect([...clock.timers].map(({ at }) => at)).toEqual([140])
    clock.wakeAt(140)
    expect(steps.map(({ type }) => type)).toEqual(['tick'])
  })

  it('never fires on a follower whose leader is heard in time', () => {
    let deadline: number | undefined = 155
    const { clock, driver, steps } = makeDriver({ start: { deadline }, step: () => ({ deadline }) })
    driver.start()
    for (let at = 70; at <= 700; at += 70) {
      deadline = at + 155
      clock.wakeAt(at)
      driver.input({ type: 'session-close', peerId: 'a' })
      expect([...clock.timers].map((timer) => timer.at)).toEqual([deadline + 1])
    }
    expect(steps.map(({ type }) => type)).not.toContain('tick')
  })

  it('is set a millisecond later than a deadline that is far away, because Node may be one too early; not where that counts', () => {
    for (const [deadline, at] of [
      [30, 30],
      [49, 49],
      [50, 51],
      [155, 156]
    ]) {
      const { clock, driver } = makeDriver({ start: { deadline: deadline! } })
      driver.start()
      expect([...clock.timers].map((timer) => timer.at)).toEqual([at])
    }
  })

  it('ticks no more when there is no deadline any more', () => {
    const { clock, driver, steps } = makeDriver({ start: { deadline: 100 } })
    driver.start()
    driver.input({ type: 'session-close', peerId: 'a' })
    steps.length = 0
    clock.wakeAt(101)
    expect(steps).toEqual([])
    expect(clock.timers.size).toBe(0)
  })

  it('a deadline that has come already is a tick at once, one and no chain of them; a late one is left to the timer', () => {
    let deadline: number | undefined
    const { clock, driver, steps } = makeDriver({ step: () => ({ deadline }) })
    driver.start()
    deadline = 0
    driver.input({ type: 'session-close', peerId: 'a' })
    expect(steps.map(({ type }) => type)).toEqual(['session-close', 'tick'])
    expect(clock.timers.size).toBe(1)
    steps.length = 0
    clock.time = 100
    driver.input({ type: 'session-close', peerId: 'b' })
    expect(steps.map(({ type }) => type)).toEqual(['session-close'])
  })

  it('that fires late lets the sockets speak first', () => {
    const { clock, driver, steps } = makeDriver({ start: { deadline: 100 } })
    driver.start()
    clock.wakeAt(400)
    expect(steps).toEqual([])
    driver.input({ type: 'frame', from: 'a', frame: utf8('the heartbeat') })
    for (const fn of clock.afterIoCalls) fn()
    expect(steps.map(({ type }) => type)).toEqual(['frame', 'tick'])
  })

  it('is gone when the driver stops, also when it stops in the middle of a step', () => {
    for (const when of ['before', 'within'] as const) {
      const { clock, driver, steps } = makeDriver({
        start: { deadline: 100 },
        step: () => ({ deadline: 200, events: [{ type: 'member', peerId: 'b', role: 'voter' }] }),
        onEvent: (_, running) => running.stop()
      })
      driver.start()
      if (when === 'before') driver.stop()
      else driver.input({ type: 'tick' })
      expect(clock.timers.size).toBe(0)
      clock.wakeAt(1_000)
      driver.input({ type: 'tick' })
      expect(steps).toHaveLength(when === 'before' ? 0 : 1)
    }
  })
})
