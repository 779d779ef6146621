/** Everything that the command touches outside of itself, so that tests can hand it their own. */
import type { Readable, Writable } from 'node:stream'
import { type Clock, systemClock } from '../core/clock.ts'
import { Interrupted } from './cli-errors.ts'

export type TextInput = Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown }
export type TextOutput = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number }

export interface Io {
  readonly stdin: TextInput
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Aborts with `Interrupted` on the first SIGINT or SIGTERM, and when nobody reads stdout any more. */
  readonly interrupt: AbortSignal
}

/** The real one. A second signal ends the process at once, whatever it is doing. */
export function processIo(): Io {
  const interrupt = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (interrupt.signal.aborted) process.exit(new Interrupted(signal).exitCode)
    interrupt.abort(new Interrupted(signal))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'EIO') interrupt.abort(new Interrupted('SIGPIPE'))
      else throw error
    })
  }
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: systemClock,
    interrupt: interrupt.signal
  }
}

export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer | string>) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
