/**
 * A block of lines at the bottom of a terminal that is redrawn in place, with permanent lines scrolling by above it.
 * Redraws are gathered: at most one a frame. Lines are cut to the terminal's width, since a wrapped line could not be found
 * again. Everything is one write a frame, so that it does not flicker.
 *
 * When the terminal changes its size, some wrap the lines that are there and some cut them, and nobody can say where the block
 * is now: the screen is cleared, and the last permanent lines are printed once more above the block.
 */
import type { Clock, Timer } from '../../core/clock.ts'
import type { TextOutput } from '../io.ts'
import { truncate, widthOf } from './text.ts'

const FRAME_MS = 50
const ESC = '\u001B['
const CLEAR_SCREEN = `${ESC}H${ESC}2J`
const COLUMNS_DEFAULT = 80
const ROWS_DEFAULT = 24
/** More than the tallest screen shows. */
const KEPT_LINES_MAX = 200

/** Lines of at most `rows`, for the screen as it is when they are drawn. More than `rows` are cut at the end. */
export type BlockLines = (rows: number) => readonly string[]

const NO_LINES: BlockLines = () => []

export interface LiveBlock {
  /** Shows these lines soon, and asks for them again when the terminal changes its size. */
  update(lines: BlockLines): void
  /** Prints lines above the block, to stay. */
  print(lines: readonly string[]): void
  /** Draws what is due and leaves it there. Idempotent. */
  close(): void
}

export function liveBlock(output: TextOutput, clock: Clock): LiveBlock {
  let drawn = 0
  let wanted = NO_LINES
  let above: string[] = []
  let kept: readonly string[] = []
  let resized = false
  let timer: Timer | undefined
  let closed = false

  const draw = (): void => {
    timer?.cancel()
    timer = undefined
    // A terminal that does not know its size says 0.
    const columns = output.columns || COLUMNS_DEFAULT
    // What has scrolled off the screen cannot be redrawn: keep to what fits, and to the line where the cursor stays.
    const rows = Math.max(1, (output.rows || ROWS_DEFAULT) - 1)
    const block = wanted(rows).slice(0, rows)
    kept = [...kept, ...above].slice(-KEPT_LINES_MAX)
    const printed = resized ? lastThatFit(kept, rows - block.length, columns) : above
    const start = resized ? CLEAR_SCREEN : drawn === 0 ? '\r' : `${ESC}${drawn}A\r`
    const lines = [...printed, ...block.map((line) => truncate(line, columns - 1))]
    output.write(`${start}${lines.map((line) => `${line}${ESC}K\n`).join('')}${ESC}J`)
    drawn = block.length
    above = []
    resized = false
  }
  const schedule = (): void => {
    if (!closed) timer ??= clock.setTimer(FRAME_MS, draw)
  }
  const onResize = (): void => {
    resized = true
    schedule()
  }
  output.on('resize', onResize)
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
      output.off('resize', onResize)
      draw()
    }
  }
}

/** The end of what was printed, as far as it has room; long lines wrap. */
function lastThatFit(lines: readonly string[], rows: number, columns: number): readonly string[] {
  let left = rows
  const first = lines.findLastIndex((line) => {
    left -= Math.max(1, Math.ceil(widthOf(line) / columns))
    return left < 0
  })
  return lines.slice(first + 1)
}
