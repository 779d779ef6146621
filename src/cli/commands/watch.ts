/**
 * `--watch`: shows a fact of the node now, and again whenever an event says that it may have changed. Events that come
 * while the fact is read are answered by one more reading. People also see time pass: once a second.
 */
import { controlClient, type ControlClient, ControlLostError, NodeNotRunningError } from '../../admin/index.ts'
import type { Clock } from '../../core/clock.ts'
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
  const client = controlClient(options.data)
  const ended = new AbortController()
  const signal = AbortSignal.any([io.interrupt, ended.signal])
  const view = options.json === true ? jsonView(io, watched) : peopleView(io, watched)
  const bell = makeBell(io.clock)
  // Subscribed before the first reading, so that no change falls between the two.
  const events = await client.events({ signal })
  const listening = listen(events, bell).finally(() => ended.abort(new NodeStopped()))
  try {
    for (;;) {
      view.show(await watched.read(client, signal))
      await bell.rung(signal, options.json === true ? undefined : REFRESH_MS)
    }
  } catch (error) {
    if (!isEnd(error)) throw error
    if (options.json !== true) io.stderr.write('the node has stopped\n')
  } finally {
    view.close()
    ended.abort(new NodeStopped())
    await listening
  }
}

class NodeStopped extends Error {}

/** The stream of events ended, or the socket went away between two readings: both say that the node stopped. */
const isEnd = (error: unknown): boolean =>
  error instanceof NodeStopped || error instanceof NodeNotRunningError || error instanceof ControlLostError

async function listen(events: AsyncIterable<unknown>, bell: Bell): Promise<void> {
  try {
    for await (const event of events) if (event !== undefined) bell.ring()
  } catch {
    // The reading that follows meets the same trouble and reports it.
  }
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
