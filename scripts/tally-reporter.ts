/**
 * A vitest reporter that ends a run with one plain line, `Tests: 123 passed, 0 failed, 4 skipped`, for machines that read
 * only the last one. What breaks outside a test (a file that does not load, an unhandled rejection) counts as failed.
 */
import { writeFileSync } from 'node:fs'
import type { Reporter } from 'vitest/node'

export class TallyReporter implements Reporter {
  onTestRunEnd: NonNullable<Reporter['onTestRunEnd']> = (modules, unhandledErrors, reason) => {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
    }
    // A test that never reported (its worker died, the run was interrupted) has not passed.
    count.failed += count.pending
    if (reason !== 'passed' && count.failed === 0) count.failed = 1
    const line = `Tests: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`
    // After the default reporter's summary, which is written in the same turn.
    setImmediate(() => process.stdout.write(line))
    const file = process.env['QUORATE_TALLY']
    if (file !== undefined) writeFileSync(file, line)
  }
}
