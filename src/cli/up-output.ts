/** How `up` shows what happens: NDJSON, a live block on a terminal, plain lines in a pipe. */
import type { StampedNodeEvent } from '../node/types.ts'
import type { Io } from './io.ts'
import { eventLine } from './view/event-line.ts'
import { liveBlock } from './view/live.ts'
import { styleOf } from './view/style.ts'
import { upLines, upStart, upState } from './view/up-view.ts'

export interface UpOutput {
  event(event: StampedNodeEvent): void
  /** Lines for people that stay. */
  print(lines: readonly string[]): void
  /** An event of the command itself; only with --json. */
  extra(event: Readonly<Record<string, unknown>>): void
  close(): void
}

/** `name`: of the cluster, as far as it is known by now. */
export function upOutput(io: Io, json: boolean, name: () => string): UpOutput {
  if (json) return jsonOutput(io)
  return io.stdout.isTTY === true ? liveOutput(io, name) : plainOutput(io)
}

/**
 * What happens in one turn is said together, when all that the turn has to do and to send is done: each write takes as long as a vote. A
 * crash in that very turn loses it.
 */
function jsonOutput(io: Io): UpOutput {
  let events: object[] = []
  const write = (): void => {
    const text = events.map((event) => `${JSON.stringify(event)}\n`).join('')
    events = []
    if (text !== '') io.stdout.write(text)
  }
  const say = (event: object): void => {
    if (events.push(event) === 1) io.clock.afterIo(write)
  }
  return {
    event: say,
    print: (lines) => void io.stderr.write(lines.map((line) => `${line}\n`).join('')),
    extra: say,
    close: write
  }
}

/** Each line begins with the time since the first, in seconds. */
function plainOutput(io: Io): UpOutput {
  let startedAt: number | undefined
  return {
    event(event) {
      startedAt ??= event.at
      const line = eventLine(event)
      if (line !== undefined) io.stdout.write(`${((event.at - startedAt) / 1_000).toFixed(3).padStart(9)}  ${line}\n`)
    },
    print: (lines) => void io.stdout.write(lines.map((line) => `${line}\n`).join('')),
    extra() {},
    close() {}
  }
}

/** What a person should still find when the block has moved on. */
const lasts = (event: StampedNodeEvent): boolean =>
  event.event === 'alarm' ||
  event.event === 'member' ||
  (event.event === 'config' && event.author !== 'genesis' && event.recovered !== true)

function liveOutput(io: Io, name: () => string): UpOutput {
  const block = liveBlock(io.stdout, io.clock)
  let state = upStart('')
  return {
    event(event) {
      state = { ...upState(state, event), name: name() }
      const line = lasts(event) ? eventLine(event) : undefined
      if (line !== undefined) block.print([line])
      block.update((rows) => upLines(state, styleOf(io.stdout, io.env), rows))
    },
    print: (lines) => block.print(lines),
    extra() {},
    close: () => block.close()
  }
}
