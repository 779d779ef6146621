/**
 * `--watch`: shows a fact of the node now, and again whenever an event says that it may have changed. Events that come
 * while the fact is read are answered by one more reading. People also see time pass: once a second.
 *
 * It ends with the node. One that stopped in order has said so, and that is a good end; one that fell silent was killed, or is cut
 * off, and whoever watched it must be able to tell the two apart.
 */
import { controlClient, type ControlClient, ControlLostError, NodeNotRunningError } from '../../admin/index.ts'
import type { Clock } from '../../core/clock.ts'
import { NodeStoppedError } from '../../node/errors.ts'
import type { StampedNodeEvent } from '../../node/types.ts'
import type { Io } from '../io.ts'
import { liveBlock } from '../view/live.ts'
import { type Style, styleOf } from '../view/style.ts'
import type { AskOptions } from './shared.ts'

const REFRESH_MS = 1_000

export interface Watched<T> {
  readonly read: (client: ControlClient, signal: AbortSignal) => Promise<T>
  /** The part whose change is worth a line. */
  readonly compare: (value: T) => unknown
  /** Of at most `rows`, where a screen has no more. */
  readonly lines: (value: T, style: Style, rows?: number) => readonly string[]
}

export async function watch<T>(io: Io, options: AskOptions, watched: Watched<T>): Promise<void> {
  const view = options.json === true ? jsonView(io, watched) : peopleView(io, watched)
  try {
    await follow(io, options, options.json === true ? undefined : REFRESH_MS, async (client, signal) => {
      view.show(await watched.read(client, signal))
      return true
    })
  } finally {
    view.close()
  }
}

/**
 * Calls `look` at once, after every event, and every `everyMs`, until it answers false or the node ends. Resolves with why.
 * Throws NodeStoppedError when the node stopped because of an error, NodeNotRunningError when it was there and is gone.
 */
export async function follow(
  io: Io,
  options: AskOptions,
  everyMs: number | undefined,
  look: (client: ControlClient, signal: AbortSignal) => Promise<boolean>
): Promise<'enough' | 'stopped'> {
  const client = controlClient(options.data)
  const ended = new AbortController()
  const signal = AbortSignal.any([io.interrupt, ended.signal])
  const bell = makeBell(io.clock)
  // Subscribed before the first look, so that no change falls between the two.
  const stream = await client.events({ signal })
  const hearing = hear(stream, bell).finally(() => ended.abort(new StreamEnded()))
  try {
    while (await look(client, signal)) await bell.rung(signal, everyMs)
    return 'enough'
  } catch (error) {
    if (io.interrupt.aborted || !isEnd(error)) throw error
    await requireOrderly(await hearing, options, client)
    if (options.json !== true) io.stderr.write('the node has stopped\n')
    return 'stopped'
  } finally {
    ended.abort(new StreamEnded())
    await hearing
  }
}

class StreamEnded extends Error {}

/** The stream of events ended, or the socket went away between two looks. */
const isEnd = (error: unknown): boolean =>
  error instanceof StreamEnded || error instanceof NodeNotRunningError || error instanceof ControlLostError

type LastWords = Extract<StampedNodeEvent, { event: 'stopped' }> | undefined

/** The node's last words, as far as it had any. */
async function hear(events: AsyncIterable<StampedNodeEvent>, bell: Bell): Promise<LastWords> {
  try {
    for await (const event of events) {
      if (event.event === 'stopped') return event
      bell.ring()
    }
  } catch {
    // The look that follows meets the same trouble and reports it.
  }
  return undefined
}

const isThere = (client: ControlClient): Promise<boolean> =>
  client.status().then(
    () => true,
    () => false
  )

async function requireOrderly(lastWords: LastWords, { data }: AskOptions, client: ControlClient): Promise<void> {
  if (lastWords?.error !== undefined) throw new NodeStoppedError(lastWords.error.message)
  if (lastWords !== undefined) return
  throw (await isThere(client)) ? new ControlLostError('GET /v1/events') : new NodeNotRunningError(data, 'vanished')
}

interface Bell {
  ring(): void
  /** Resolves when it has rung since the last time, or after `atMostMs`; rejects with the signal's reason. */
  rung(signal: AbortSignal, atMostMs: number | undefined): Promise<void>
}

function makeBell(clock: Clock): Bell {
  let pending = false
  let wake: (() => void) | undefined
  return {
    ring() {
      pending = true
      wake?.()
    },
    async rung(signal, atMostMs) {
      signal.throwIfAborted()
      if (!pending) {
        await new Promise<void>((resolve, reject) => {
          const timer = atMostMs === undefined ? undefined : clock.setTimer(atMostMs, () => wake?.())
          const settle = (how: () => void) => (): void => {
            timer?.cancel()
            signal.removeEventListener('abort', onAbort)
            how()
          }
          const onAbort = settle(() => reject(signal.reason as Error))
          wake = settle(resolve)
          signal.addEventListener('abort', onAbort, { once: true })
        })
      }
      pending = false
    }
  }
}

interface View<T> {
  show(value: T): void
  close(): void
}

function jsonView<T>(io: Io, { compare }: Watched<T>): View<T> {
  let last = ''
  return {
    show(value) {
      const facts = JSON.stringify(compare(value))
      if (facts !== last) io.stdout.write(`${JSON.stringify(value)}\n`)
      last = facts
    },
    close() {}
  }
}

/** Redrawn in place on a terminal; in a pipe a new block for each change. */
function peopleView<T>(io: Io, { compare, lines }: Watched<T>): View<T> {
  if (io.stdout.isTTY === true) {
    const block = liveBlock(io.stdout, io.clock)
    return {
      show: (value) => block.update((rows) => lines(value, styleOf(io.stdout, io.env), rows)),
      close: () => block.close()
    }
  }
  let last = ''
  return {
    show(value) {
      const facts = JSON.stringify(compare(value))
      if (facts !== last) io.stdout.write(`${lines(value, styleOf(io.stdout, io.env)).join('\n')}\n\n`)
      last = facts
    },
    close() {}
  }
}
