/**
 * What the suite of the transport is made of: a gate that does what a test wants, a log of events that can be waited for, nodes.
 * Useful for tests of anything that stands on a transport.
 */
import { type ConformanceCase, defineCase } from './case.ts'
import assert from 'node:assert/strict'
import { fromUtf8, toHex, utf8 } from '../core/bytes.ts'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { sha256 } from '../core/hash.ts'
import type { AdmissionGate, Admitted, Refusal } from '../transport/gate.ts'
import type { MeasuredTransport, TransportEvents, TransportLimits } from '../transport/port.ts'

export interface TransportHarnessNode {
  readonly peerId: string
  readonly transport: MeasuredTransport
  /** Dies without saying goodbye. Absent where that cannot be arranged; its case then passes without a check. */
  readonly crash?: () => void
}

/** A network of its own. Each case gets a new one. */
export interface TransportHarness {
  /** Made, not started. The same name is the same identity: a later node of one name is that peer restarted. */
  node(name: string, gate: AdmissionGate, limits?: Partial<TransportLimits>): Promise<TransportHarnessNode>
  /** An address of the right kind where nobody listens. */
  deadAddress(): string
  dispose(): Promise<void>
}

/** What a test gate does. Its hello and verdicts are text, so that they can be read in a failure. */
export interface ToyGateInit {
  /** Refuses every peer with this. */
  readonly refuses?: Refusal
  /** False: cannot judge before a peer's yes has brought the genesis. Default true. */
  readonly holdsGenesis?: boolean
  /** Throws instead of judging. */
  readonly throws?: boolean
}

/** A gate for tests: admits everybody, unless told otherwise. */
export function toyGate({ refuses, holdsGenesis = true, throws = false }: ToyGateInit = {}): AdmissionGate {
  let knows = holdsGenesis
  return {
    hello: () => utf8('hello'),
    judge(hello, remotePeerId) {
      if (throws) throw new Error('the gate is broken')
      if (!knows) return { type: 'undecided' }
      if (fromUtf8(hello) !== 'hello') {
        const refusal: Refusal = { code: 'malformed', detail: 'not a hello' }
        return { type: 'refused', refusal, verdict: utf8(JSON.stringify(refusal)) }
      }
      if (refuses !== undefined) return { type: 'refused', refusal: refuses, verdict: utf8(JSON.stringify(refuses)) }
      return { type: 'admitted', admitted: toyAdmitted(remotePeerId), verdict: utf8('yes') }
    },
    readVerdict(verdict) {
      if (fromUtf8(verdict) !== 'yes') return { ok: false, refusal: JSON.parse(fromUtf8(verdict)) as Refusal }
      knows = true
      return { ok: true }
    }
  }
}

const toyAdmitted = (peerId: string): Admitted =>
  ({ peerId, storeId: toHex(sha256(utf8(peerId)).subarray(0, 16)) }) as Admitted

const LIMIT_MS = 20_000

/** The promise, or an error that says what was waited for. */
export async function within<T>(promise: Promise<T>, what: string, limitMs = LIMIT_MS): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = systemClock.setTimer(limitMs, () => late.reject(new Error(`not within ${limitMs} ms: ${what}`)))
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    timer.cancel()
  }
}

/** A node's events, in order, and a way to wait for them. */
export class EventLog implements TransportEvents {
  /** `open a`, `close a: reason`, `frame a: text`, `refused by us a: code`. */
  readonly lines: string[] = []
  readonly frames: { readonly from: string; readonly frame: Uint8Array }[] = []
  readonly refusals: Parameters<TransportEvents['onRefused']>[0][] = []
  readonly sessions = new Set<string>()
  /** What a test wants to do from within an event. */
  onOpen: (peerId: string) => void = () => {}
  readonly #waiting = new Set<() => void>()

  onSessionOpen(peer: Admitted): void {
    assert.ok(!this.sessions.has(peer.peerId), `a second session with ${peer.peerId}:\n${this.lines.join('\n')}`)
    this.sessions.add(peer.peerId)
    this.#add(`open ${peer.peerId}`)
    this.onOpen(peer.peerId)
  }

  onSessionClose(peerId: string, reason: string): void {
    assert.ok(this.sessions.delete(peerId), `no session with ${peerId} to close:\n${this.lines.join('\n')}`)
    this.#add(`close ${peerId}: ${reason}`)
  }

  onFrame(peerId: string, frame: Uint8Array): void {
    assert.ok(this.sessions.has(peerId), `a frame of ${peerId} without a session:\n${this.lines.join('\n')}`)
    this.frames.push({ from: peerId, frame })
    this.#add(`frame ${peerId}: ${frame.byteLength} bytes`)
  }

  onRefused(refusal: Parameters<TransportEvents['onRefused']>[0]): void {
    this.refusals.push(refusal)
    this.#add(`refused by ${refusal.by} ${refusal.peerId ?? '?'}: ${refusal.refusal.code}`)
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    if (holds()) return
    const reached = Promise.withResolvers<void>()
    const check = (): void => {
      if (holds()) reached.resolve()
    }
    this.#waiting.add(check)
    try {
      await within(reached.promise, what)
    } catch (error) {
      throw new Error(`${messageOf(error)}\nevents so far:\n${this.lines.slice(-40).join('\n')}`, { cause: error })
    } finally {
      this.#waiting.delete(check)
    }
  }

  /** The short frames, as text. */
  texts(from: string): string[] {
    return this.frames
      .filter((one) => one.from === from && one.frame.byteLength < 1_000)
      .map(({ frame }) => fromUtf8(frame))
  }

  #add(line: string): void {
    this.lines.push(line)
    for (const check of this.#waiting) check()
  }
}

export interface StartedNode extends TransportHarnessNode {
  readonly log: EventLog
  dial(other: StartedNode): Promise<{ readonly peerId: string }>
}

export async function startNode(
  harness: TransportHarness,
  name: string,
  gate: AdmissionGate = toyGate(),
  limits: Partial<TransportLimits> = {}
): Promise<StartedNode> {
  const node = await harness.node(name, gate, limits)
  const log = new EventLog()
  await node.transport.start(log)
  return {
    ...node,
    log,
    dial: (other) => dial(node, { peerId: other.peerId, addresses: other.transport.addresses() })
  }
}

export function dial(
  node: TransportHarnessNode,
  target: { readonly peerId: string | undefined; readonly addresses: readonly string[] }
): Promise<{ readonly peerId: string }> {
  return within(node.transport.dial(target, { signal: new AbortController().signal }), 'a dial')
}

/** The error, which must be of this class. */
export async function rejection<E extends Error>(
  promise: Promise<unknown>,
  // eslint-disable-next-line typescript/no-explicit-any -- constructors differ
  type: abstract new (...args: any[]) => E
): Promise<E> {
  const error: unknown = await promise.then(
    () => assert.fail(`resolved instead of rejecting with ${type.name}`),
    (reason: unknown) => reason
  )
  assert.ok(error instanceof type, `${type.name} expected, not ${messageOf(error)}`)
  return error
}

export async function pair(harness: TransportHarness): Promise<{ readonly a: StartedNode; readonly b: StartedNode }> {
  const [a, b] = [await startNode(harness, 'a'), await startNode(harness, 'b')]
  return { a, b }
}

export async function connected(
  harness: TransportHarness
): Promise<{ readonly a: StartedNode; readonly b: StartedNode }> {
  const { a, b } = await pair(harness)
  await a.dial(b)
  await haveSession(a, b)
  return { a, b }
}

export async function haveSession(a: StartedNode, b: StartedNode): Promise<void> {
  await a.log.until('a session with b', () => a.log.sessions.has(b.peerId))
  await b.log.until('a session with a', () => b.log.sessions.has(a.peerId))
}

export async function talk(from: StartedNode, to: StartedNode, text: string): Promise<void> {
  assert.ok(from.transport.send(to.peerId, utf8(text)), `sending ${text}`)
  await to.log.until(`the frame ${text}`, () => to.log.texts(from.peerId).includes(text))
}

export const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff)

export const refusal = (code: Refusal['code'], detail: string): Refusal => ({ code, detail })

/** Lets pending input and timers run. */
export async function nextTurn(): Promise<void> {
  const turn = Promise.withResolvers<void>()
  systemClock.setTimer(0, () => turn.resolve())
  await turn.promise
}

export type TransportConformanceCase = ConformanceCase<TransportHarness>

export const define: typeof defineCase<TransportHarness> = defineCase

/** Bytes that tell when one of them is missing or elsewhere. */
