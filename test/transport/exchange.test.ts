import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat, utf8 } from '../../src/core/bytes.ts'
import { AdmissionExchange, type ExchangeOutcome } from '../../src/transport/exchange.ts'
import { encodeFrames, FrameKind, type Frame } from '../../src/transport/framing.ts'
import type { AdmissionGate, Admitted, Refusal } from '../../src/transport/gate.ts'
import { runExchange, type ByteDuplex } from '../../src/transport/run-exchange.ts'
import { manualClock, type ManualClock } from './manual-clock.ts'

/** What a gate thinks: of itself at once, or only after a yes that brings the genesis; or never. */
type Mind = 'yes' | 'no' | 'learns, then yes' | 'learns, then no' | 'never knows'
const minds: readonly Mind[] = ['yes', 'no', 'learns, then yes', 'learns, then no', 'never knows']

const no = (side: string): Refusal => ({ code: 'not-in-roster', detail: `no from ${side}` })

function gateOf(mind: Mind, side: string): AdmissionGate {
  let knows = mind === 'yes' || mind === 'no'
  return {
    hello: () => utf8(`hello of ${side}`),
    judge(_hello, peerId) {
      if (!knows) return { type: 'undecided' }
      return mind === 'no' || mind === 'learns, then no'
        ? { type: 'refused', refusal: no(side), verdict: utf8(JSON.stringify(no(side))) }
        : { type: 'admitted', admitted: { peerId, storeId: '00' } as Admitted, verdict: utf8('yes') }
    },
    readVerdict(verdict) {
      const text = Buffer.from(verdict).toString()
      if (text !== 'yes') return { ok: false, refusal: JSON.parse(text) as Refusal }
      knows = mind !== 'never knows'
      return { ok: true }
    }
  }
}

const exchangeOf = (mind: Mind, side: string): AdmissionExchange =>
  new AdmissionExchange({
    gate: gateOf(mind, side),
    remotePeerId: side === 'a' ? 'b' : 'a',
    instance: new Uint8Array(8).fill(side.charCodeAt(0)),
    sequence: side.charCodeAt(0)
  })

/** Runs both ends with deliveries in the order that `picks` says; order on each way is kept. */
function play(a: AdmissionExchange, b: AdmissionExchange, picks: readonly boolean[]): void {
  const toB = [...a.start()]
  const toA = [...b.start()]
  let pick = 0
  for (let step = 0; step < 50 && (toA.length > 0 || toB.length > 0); step++) {
    const first = picks[pick++ % Math.max(1, picks.length)] ?? true
    if ((first && toB.length > 0) || toA.length === 0) toA.push(...b.receive(toB.shift()!))
    else toB.push(...a.receive(toA.shift()!))
  }
}

const theirsOf = (outcome: ExchangeOutcome | undefined): Refusal | undefined =>
  outcome?.type === 'refused' ? outcome.theirs : undefined
const oursOf = (outcome: ExchangeOutcome | undefined): Refusal | undefined =>
  outcome?.type === 'refused' ? outcome.ours : undefined

describe('AdmissionExchange', () => {
  for (const [i, mindA] of minds.entries()) {
    for (const mindB of minds.slice(i)) {
      test(`${mindA} meets ${mindB}: both end, and agree`, () => {
        fc.assert(
          fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (picks) => {
            const [a, b] = [exchangeOf(mindA, 'a'), exchangeOf(mindB, 'b')]
            play(a, b, picks)
            expect([a.done, b.done]).toEqual([true, true])
            expect(a.outcome?.type).toBe(b.outcome?.type)
            const admits = (mind: Mind, other: Mind): boolean =>
              mind === 'yes' || (mind === 'learns, then yes' && other === 'yes')
            expect(a.outcome?.type === 'admitted').toBe(admits(mindA, mindB) && admits(mindB, mindA))
            if (a.outcome?.type === 'refused') {
              // Each reason that one side has in its own words is what the other side heard.
              for (const [one, other] of [[a, b] as const, [b, a] as const]) {
                expect(oursOf(one.outcome) ?? theirsOf(one.outcome)).toBeDefined()
                if (oursOf(one.outcome)?.code === 'not-in-roster') {
                  expect(theirsOf(other.outcome)).toEqual(oursOf(one.outcome))
                }
                if (theirsOf(one.outcome)?.code === 'not-in-roster') {
                  expect(oursOf(other.outcome)).toEqual(theirsOf(one.outcome))
                }
              }
            }
          })
        )
      })
    }
  }

  test('the outcome names the peer’s process and its dial', () => {
    const [a, b] = [exchangeOf('yes', 'a'), exchangeOf('yes', 'b')]
    play(a, b, [true])
    expect(a.outcome).toMatchObject({ type: 'admitted', instance: '6262626262626262', sequence: 98 })
    expect(b.outcome).toMatchObject({ type: 'admitted', instance: '6161616161616161', sequence: 97 })
  })

  test('frames out of turn are malformed, whatever they are', () => {
    const frames: Frame[] = [0, 1, 2, 3, 4, 5, 16, 255].map((kind) => ({ kind, body: new Uint8Array(20) }))
    for (const first of frames) {
      for (const second of frames) {
        const one = exchangeOf('yes', 'a')
        one.start()
        one.receive(first)
        const gate = (): unknown => one.receive(second)
        // The toy verdict is JSON; a real gate reads bytes without throwing.
        if (first.kind === FrameKind.hello && second.kind === FrameKind.verdict) expect(gate).toThrow()
        else expect(gate).not.toThrow()
        if (first.kind !== FrameKind.hello) expect(oursOf(one.outcome)?.code).toBe('malformed')
        expect(one.outcome?.type).not.toBe('admitted')
      }
    }
  })

  test('a hello that is too short is malformed', () => {
    const one = exchangeOf('yes', 'a')
    one.start()
    one.receive({ kind: FrameKind.hello, body: new Uint8Array(11) })
    expect(oursOf(one.outcome)?.code).toBe('malformed')
  })

  test('nobody is admitted by silence, by random frames, or by a repeated hello', () => {
    const frame = fc.record({ kind: fc.integer({ min: 0, max: 20 }), body: fc.uint8Array({ maxLength: 30 }) })
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), (frames) => {
        const one = exchangeOf('yes', 'a')
        one.start()
        for (const received of frames) {
          try {
            one.receive(received)
          } catch {
            // The toy gate reads JSON.
          }
        }
        expect(one.outcome?.type).not.toBe('admitted')
      })
    )
  })
})

/** Two ends of a pipe; what one writes is delivered in pieces of `chunk` bytes, merged over `lag` turns. */
class Pipe implements ByteDuplex {
  other!: Pipe
  rest: Uint8Array | undefined
  readonly #chunk: number
  readonly #lag: number
  #unsent: Uint8Array = new Uint8Array(0)
  #onChunk: ((chunk: Uint8Array) => void) | undefined
  #onEnd: ((error: Error | undefined) => void) | undefined
  readonly #early: Uint8Array[] = []

  constructor(chunk: number, lag: number) {
    this.#chunk = chunk
    this.#lag = lag
  }

  write(bytes: Uint8Array): void {
    if (this.#unsent.byteLength === 0) void this.#flush()
    this.#unsent = concat(this.#unsent, bytes)
  }

  async #flush(): Promise<void> {
    for (let i = 0; i <= this.#lag; i++) await Promise.resolve()
    const bytes = this.#unsent
    this.#unsent = new Uint8Array(0)
    for (let at = 0; at < bytes.byteLength; at += this.#chunk) this.other.deliver(bytes.slice(at, at + this.#chunk))
  }

  deliver(piece: Uint8Array): void {
    if (this.rest !== undefined) this.rest = concat(this.rest, piece)
    else if (this.#onChunk === undefined) this.#early.push(piece)
    else this.#onChunk(piece)
  }

  end(): void {
    this.#onEnd?.(undefined)
  }

  read(onChunk: (chunk: Uint8Array) => void, onEnd: (error: Error | undefined) => void): void {
    this.#onChunk = onChunk
    this.#onEnd = onEnd
    for (const piece of this.#early.splice(0)) onChunk(piece)
  }

  release(rest: Uint8Array): void {
    this.#onChunk = undefined
    this.rest = rest
  }
}

function pipes(chunk = 7, lagA = 0, lagB = 0): [Pipe, Pipe] {
  const [a, b] = [new Pipe(chunk, lagA), new Pipe(chunk, lagB)]
  a.other = b
  b.other = a
  return [a, b]
}

const run = (pipe: Pipe, exchange: AdmissionExchange, clock: ManualClock): Promise<ExchangeOutcome> =>
  runExchange(pipe, exchange, { clock, bytesMax: 1_000, deadlineMs: 5_000 })

const turns = async (): Promise<void> => {
  for (let i = 0; i < 500; i++) await Promise.resolve()
}

const way = fc.record({
  chunk: fc.integer({ min: 1, max: 200 }),
  lagA: fc.integer({ min: 0, max: 40 }),
  lagB: fc.integer({ min: 0, max: 40 }),
  after: fc.uint8Array({ maxLength: 60 })
})

describe('runExchange', () => {
  test('what follows a yes belongs to the next layer, to the last byte', async () => {
    await fc.assert(
      fc.asyncProperty(way, async ({ chunk, lagA, lagB, after }) => {
        const clock = manualClock()
        const [a, b] = pipes(chunk, lagA, lagB)
        const answers = Promise.all([run(a, exchangeOf('yes', 'a'), clock), run(b, exchangeOf('yes', 'b'), clock)])
        // The next layer of `a` begins to send the moment that `a` is done.
        const sending = a.release.bind(a)
        a.release = (rest) => {
          sending(rest)
          a.write(after)
        }
        const [ofA, ofB] = await answers
        await turns()
        expect([ofA.type, ofB.type]).toEqual(['admitted', 'admitted'])
        expect(b.rest).toEqual(after)
        expect(clock.pending).toBe(0)
      })
    )
  })

  test('both learn both reasons, and no timer is left', async () => {
    const clock = manualClock()
    const [a, b] = pipes()
    const [ofA, ofB] = await Promise.all([run(a, exchangeOf('no', 'a'), clock), run(b, exchangeOf('no', 'b'), clock)])
    expect(ofA).toEqual({ type: 'refused', ours: no('a'), theirs: no('b') })
    expect(ofB).toEqual({ type: 'refused', ours: no('b'), theirs: no('a') })
    expect(clock.pending).toBe(0)
  })

  test('silence ends at the deadline with a refusal', async () => {
    const clock = manualClock()
    const [a] = pipes()
    const answer = run(a, exchangeOf('yes', 'a'), clock)
    clock.advance(4_999)
    await turns()
    clock.advance(1)
    expect(await answer).toMatchObject({ type: 'refused', ours: { code: 'timeout' } })
  })

  test('a trickle of bytes does not move the deadline', async () => {
    const clock = manualClock()
    const [a] = pipes()
    const answer = run(a, exchangeOf('yes', 'a'), clock)
    const hello = encodeFrames([{ kind: FrameKind.hello, body: new Uint8Array(900) }])
    for (let at = 0; at < 60; at++) {
      a.deliver(hello.subarray(at, at + 1))
      clock.advance(100)
    }
    expect(await answer).toMatchObject({ type: 'refused', ours: { code: 'timeout' } })
  })

  test('a refused peer that goes on talking is left after a second', async () => {
    const clock = manualClock()
    const [a] = pipes()
    const answer = run(a, exchangeOf('no', 'a'), clock)
    a.deliver(encodeFrames([{ kind: FrameKind.hello, body: new Uint8Array(20) }]))
    a.deliver(encodeFrames([{ kind: FrameKind.verdict, body: utf8('yes') }]))
    for (let i = 0; i < 11; i++) {
      a.deliver(encodeFrames([{ kind: FrameKind.verdict, body: utf8('yes') }]))
      clock.advance(100)
    }
    expect(await answer).toMatchObject({ type: 'refused', ours: no('a'), theirs: undefined })
    expect(clock.pending).toBe(0)
  })

  test('an oversized hello is refused before it has come', async () => {
    const clock = manualClock()
    const [a] = pipes()
    const answer = run(a, exchangeOf('yes', 'a'), clock)
    a.deliver(Uint8Array.of(0x7f, 0xff, 0xff, 0xff))
    expect(await answer).toMatchObject({ type: 'refused', ours: { code: 'malformed' } })
  })

  test('a peer that goes away breaks it off', async () => {
    const clock = manualClock()
    const [a] = pipes()
    const answer = run(a, exchangeOf('yes', 'a'), clock)
    a.end()
    await expect(answer).rejects.toMatchObject({ code: 'ERR_ADMISSION_BROKEN' })
    expect(clock.pending).toBe(0)
  })

  test('what the gate throws is what it rejects with', async () => {
    const broken = new Error('broken gate')
    for (const method of ['hello', 'judge', 'readVerdict'] as const) {
      const clock = manualClock()
      const [a, b] = pipes()
      const gate = {
        ...gateOf('yes', 'a'),
        [method]: () => {
          throw broken
        }
      }
      const exchange = new AdmissionExchange({ gate, remotePeerId: 'b', instance: new Uint8Array(8), sequence: 1 })
      const other = run(b, exchangeOf('yes', 'b'), clock)
      await expect(run(a, exchange, clock)).rejects.toBe(broken)
      b.end()
      await other.catch(() => {})
      expect(clock.pending).toBe(0)
    }
  })

  test('a signal ends it with its reason', async () => {
    const controller = new AbortController()
    const [a] = pipes()
    const clock = manualClock()
    const answer = runExchange(a, exchangeOf('yes', 'a'), {
      clock,
      bytesMax: 1_000,
      deadlineMs: 5_000,
      signal: controller.signal
    })
    const reason = new Error('no time')
    controller.abort(reason)
    await expect(answer).rejects.toBe(reason)
    expect(clock.pending).toBe(0)
  })
})
