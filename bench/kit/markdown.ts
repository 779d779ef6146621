/**
 * Blocks of documents that are made from result files, between two comments:
 *
 *     <!-- bench:election/writable -->
 *     (the table `writable` of `bench/results/election.jsonl`)
 *     <!-- /bench -->
 *
 * `bench:targets` is the table of targets.ts, `bench:election` says where and when `election` ran. `node bench/report.ts` fills
 * them, and a test holds that they are filled.
 */
import { readResults, type Results, type TableRecord } from './results.ts'
import { targetTable } from './targets.ts'

const BLOCK = /<!-- bench:([\w-]+)(?:\/([\w-]+))? -->\n[^]*?<!-- \/bench -->/g

/** The document with every block filled from the results in `directory`. */
export function fillBlocks(document: string, directory: string): string {
  const read = (part: string): Results | undefined => readResults(directory, part)
  return document.replace(BLOCK, (_, part: string, table: string | undefined) => {
    const key = table === undefined ? part : `${part}/${table}`
    return `<!-- bench:${key} -->\n\n${contentOf(part, table, read)}\n\n<!-- /bench -->`
  })
}

function contentOf(part: string, table: string | undefined, read: (part: string) => Results | undefined): string {
  if (part === 'targets') return markdownTable(targetTable(read))
  const results = read(part)
  if (results === undefined) return `_Not measured yet: \`npm run bench:${part}\`._`
  if (table === undefined) return originOf(results)
  const found = results.tables.find(({ name }) => name === table)
  if (found === undefined) return `_The last run of \`npm run bench:${part}\` did not measure this._`
  return markdownTable(found)
}

function originOf({ run, end }: Results): string {
  const { cores, cpu, memoryGiB, system, node, commit, seed, date } = run
  const where = `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${system}, Node ${node}, commit ${commit}, seed ${seed}`
  const share = ((end.othersCpuShare ?? 0) * 100).toFixed(1)
  const word = end.busy ? '**Forced on a busy machine, not to be quoted:** others' : 'Others'
  return `_${date.slice(0, 10)}, ${where}. ${word} took ${share} % of the cores; it lasted ${end.tookS} s._`
}

/** As prettier would write it. */
export function markdownTable({ head, rows }: Pick<TableRecord, 'head' | 'rows'>): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => row[i]!.length)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(cells[0]!), `| ${rule.join(' | ')} |`, ...cells.slice(1).map(line)].join('\n')
}
