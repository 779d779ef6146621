/** The outcome of a search for planted bugs, as tables in Markdown: for a terminal, and as the page docs/PLANTED.md. */
import { format } from 'prettier'
import type { Found } from './plant.ts'

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`

/** Kind and form of each fault that is left; where and when is in the data (`--out`). */
const left = ({ invariant, plan }: Found): string => {
  if (invariant === undefined) return ''
  return plan.length === 0
    ? 'none needed'
    : plan.map(({ id, variant }) => (variant === '' ? id : `${id} ${variant}`)).join('; ')
}

export function table(found: readonly Found[]): string {
  const rows = found.map((one) => {
    const { bug, invariant, seeds, seconds, shrinkSeconds } = one
    const by = invariant === undefined ? '**missed**' : `\`${invariant}\``
    return row([bug.room, bug.name, by, seeds, seconds.toFixed(1), shrinkSeconds.toFixed(1), left(one)])
  })
  const head = row(['room', 'bug', 'found by', 'seeds', 'found, s', 'shrunk, s', 'faults left'])
  return [head, row(['---', '---', '---', '--:', '--:', '--:', '---']), ...rows].join('\n')
}

const most = (found: readonly Found[], of: (one: Found) => number): number => Math.max(...found.map(of))

/** The page, laid out as the formatter of this repository wants it. */
export function page(
  found: readonly Found[],
  limit: { readonly seconds: number; readonly faults: number }
): Promise<string> {
  const isFound = found.filter(({ invariant }) => invariant !== undefined)
  const text = `# Planted bugs

\`npm run sim:planted\` plants bugs in copies of the sources, one at a time, such as somebody might make
([test/planted/bugs.ts](../test/planted/bugs.ts)), and lets the simulator of that copy search for it
([SIMULATION](SIMULATION.md)). A seed counts only when the shipped sources hold every invariant in it. The command writes this page,
and fails when a bug is not found within ${limit.seconds} seconds of one core, or when more than ${limit.faults} faults are left of the
failing run.

${isFound.length} of ${found.length} were found, by ${new Set(isFound.map(({ invariant }) => invariant)).size} different
invariants; the slowest after ${most(isFound, ({ seconds }) => seconds).toFixed(1)} seconds of processor time (${most(isFound, ({ seeds }) => seeds)} seeds at
most, Node.js ${process.versions.node}); at most ${most(isFound, ({ plan }) => plan.length)} faults are left. The ids of faults are those of the simulator.

${table(found)}
`
  return format(text, { parser: 'markdown', printWidth: 120, proseWrap: 'preserve' })
}
