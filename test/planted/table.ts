/** The outcome of a search for planted bugs, as a table in Markdown: it goes into the documentation as it is. */
import type { Found } from './plant.ts'

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`

export function table(found: readonly Found[]): string {
  const rows = found.map(({ bug, invariant, seeds, seconds, faults, shrinkRuns }) => {
    const left = invariant === undefined ? '' : faults.length === 0 ? 'none needed' : faults.join('<br>')
    return row([bug.room, bug.name, invariant ?? '**missed**', seeds, seconds.toFixed(1), shrinkRuns, left])
  })
  const head = row(['room', 'bug', 'found by', 'seeds', 'CPU s', 'runs to shrink', 'faults left'])
  return [head, row(Array.from({ length: 7 }, () => '---')), ...rows].join('\n')
}
