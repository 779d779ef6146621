/**
 * A block of lines at the bottom of a terminal that is redrawn in place, with permanent lines scrolling by above it.
 * Redraws are gathered: at most one a frame. Lines are cut to the terminal's width, since a wrapped line could not be found
 * again. Everything is one write a frame, so that it does not flicker.
 */
import type { Clock, Timer } from '../../core/clock.ts'
import type { TextOutput } from '../io.ts'
import { truncate } from './text.ts'

const FRAME_MS = 50
const ESC = '\u001B['

export interface LiveBlock {
  /** Shows these lines soon. */
  update(lines: readonly string[]): void
  /** Prints lines above the block, to stay. */
  print(lines: readonly string[]): void
  /** Draws what is due and leaves it there. Idempotent. */
  close(): void
}

export function liveBlock(output: TextOutput, clock: Clock): LiveBlock {
  let drawn = 0
  let wanted: readonly string[] = []
  let above: string[] = []
  let timer: Timer | undefined
  let closed = false

  const draw = (): void => {
    timer?.cancel()
    timer = undefined
    // A terminal that does not know its size says 0.
    const columns = output.columns || 80
    // What has scrolled off the screen cannot be redrawn: keep to what fits.
    const fitting = wanted.slice(0, Math.max(1, (output.rows || 24) - 1))
    const block = fitting.map((line) => `${truncate(line, columns - 1)}${ESC}K\n`)
    const printed = above.map((line) => `${line}${ESC}K\n`)
    const up = drawn === 0 ? '\r' : `${ESC}${drawn}A\r`
    output.write(`${up}${printed.join('')}${block.join('')}${ESC}J`)
    drawn = block.length
    above = []
  }
  const schedule = (): void => {
    if (!closed) timer ??= clock.setTimer(FRAME_MS, draw)
  }
  return {
    update(lines) {
      wanted = lines
      schedule()
    },
    print(lines) {
      above.push(...lines)
      if (closed) draw()
      else schedule()
    },
    close() {
      if (closed) return
      closed = true
      draw()
    }
  }
}
