/**
 * Runs tests for Stryker (mutate.ts) in its own process, without vitest's workers: the files are imported once, and a change is
 * tried by calling the tests that reach it, cheapest file first, until one fails. That takes milliseconds where a worker for
 * each change takes seconds.
 *
 * With QUORATE_MUTATE_COST_MAX_MS=200 the tests that take longer than that are left out. Most changes are noticed without them, and
 * those that are not can be looked at again, alone: `src/raft/log.ts:40-60` stands for these lines.
 *
 * Tests of one file run in their order; nothing but their hooks stands between them, so a test that noticed a change has to pass
 * again without it. A change that is in force while files are imported needs a process of its own, which Stryker starts.
 */
import { registerHooks } from 'node:module'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { configureGlobal } from 'fast-check'
import { collect, type Suite, type Test } from './mutate-vitest.ts'

/** The list of test files, in the folder that Stryker runs. */
export const TESTS_FILE = 'mutate-tests.json'
/** What each test and file cost without a change, beside it. */
const COSTS_FILE = 'mutate-costs.json'

/** Shared with the code that Stryker puts between ours. */
interface Shared {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  hitCount?: number | undefined
  hitLimit?: number | undefined
  mutantCoverage?: unknown
}

interface MutantRun {
  readonly activeMutant: { readonly id: string }
  readonly testFilter?: readonly string[]
  readonly hitLimit?: number
  readonly mutantActivation: 'runtime' | 'static'
}

const globals = globalThis as { __stryker__?: Shared }
// oxlint-disable-next-line no-underscore-dangle -- Stryker's name
const shared = (globals.__stryker__ ??= {})
/** A test that takes this many times as long as without a change, and this much more, goes on for ever. */
const PATIENCE_FACTOR = 10
const PATIENCE_MS = 4_000
/** Tests that cost more are left out; for a first list, which is then taken again with all of them. */
const COST_MAX_MS = Number(process.env['QUORATE_MUTATE_COST_MAX_MS'] ?? Infinity)
const SUCCESS = 0
const FAILED = 1
const door = new URL('mutate-vitest.ts', import.meta.url).href

class InProcess {
  #tests: Test[] | undefined
  /** How long each test, and all of a file, took without a change. */
  #costMs = new Map<string, number>()

  capabilities(): { readonly reloadEnvironment: boolean } {
    return { reloadEnvironment: false }
  }

  init(): void {
    // Nobody reads the smallest example of a property that fails.
    configureGlobal({ endOnFailure: true })
    registerHooks({
      resolve: (specifier, context, next) =>
        specifier === 'vitest' && context.parentURL !== door
          ? { url: door, shortCircuit: true }
          : next(specifier, context)
    })
  }

  async dryRun(): Promise<unknown> {
    const results = []
    for (const test of await this.#load()) {
      shared.currentTestId = test.id
      const from = process.cpuUsage()
      const failure = await failureOf(test)
      const { user, system } = process.cpuUsage(from)
      // Of this process alone: a busy machine makes nothing slow.
      const timeSpentMs = (user + system) / 1000
      this.#costMs.set(test.id, timeSpentMs)
      this.#costMs.set(test.file, (this.#costMs.get(test.file) ?? 0) + timeSpentMs)
      const result = { id: test.id, name: test.id, timeSpentMs }
      results.push(
        failure === undefined ? { ...result, status: SUCCESS } : { ...result, status: FAILED, failureMessage: failure }
      )
    }
    shared.currentTestId = undefined
    writeFileSync(COSTS_FILE, JSON.stringify([...this.#costMs]))
    return { status: 'complete', tests: results, mutantCoverage: shared.mutantCoverage }
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, mutantActivation }: MutantRun): Promise<unknown> {
    if (mutantActivation === 'static') shared.activeMutant = activeMutant.id
    const all = await this.#load()
    shared.activeMutant = activeMutant.id
    shared.hitCount = 0
    shared.hitLimit = hitLimit
    const wanted = testFilter === undefined ? undefined : new Set(testFilter)
    const tests = all
      .filter(({ id }) => (wanted?.has(id) ?? true) && (this.#costMs.get(id) ?? 0) <= COST_MAX_MS)
      .toSorted((a, b) => (this.#costMs.get(a.file) ?? 0) - (this.#costMs.get(b.file) ?? 0))
    let nrOfTests = 0
    for (const test of tests) {
      nrOfTests++
      const limitMs = PATIENCE_MS + PATIENCE_FACTOR * (this.#costMs.get(test.id) ?? PATIENCE_MS)
      const failure = await failureOf(test, Math.ceil(limitMs))
      if (failure === ENDLESS) return { status: 'timeout', reason: `${test.id} takes more than ${limitMs} ms` }
      if (hitLimit !== undefined && shared.hitCount > hitLimit) {
        return { status: 'timeout', reason: `reached more than ${hitLimit} times` }
      }
      if (failure === undefined) continue
      shared.activeMutant = undefined
      // What was made while files were imported stays changed.
      const anyway = mutantActivation === 'static' ? undefined : await failureOf(test)
      if (anyway !== undefined)
        return { status: 'error', errorMessage: `${test.id} fails without the change: ${anyway}` }
      return { status: 'killed', killedBy: [test.id], failureMessage: failure, nrOfTests }
    }
    return { status: 'survived', nrOfTests }
  }

  dispose(): void {}

  async #load(): Promise<readonly Test[]> {
    if (this.#tests !== undefined) return this.#tests
    this.#tests = []
    // A process that Stryker started later has not measured them itself.
    if (existsSync(COSTS_FILE)) {
      this.#costMs = new Map(JSON.parse(readFileSync(COSTS_FILE, 'utf8')) as readonly [string, number][])
    }
    const files = JSON.parse(readFileSync(TESTS_FILE, 'utf8')) as readonly string[]
    for (const file of files) {
      const { href } = pathToFileURL(join(process.cwd(), file))
      this.#tests.push(...(await collect(file, () => import(href))))
    }
    return this.#tests
  }
}

const ENDLESS = 'it does not end'

/** What a test does before it waits for anything ends within the limit; the rest is left to Stryker's own. */
function runWithin(test: Test, limitMs: number): unknown {
  held = test.run
  return new Script('globalThis[Symbol.for("quorate.mutate.run")]()').runInThisContext({ timeout: limitMs })
}

let held: () => unknown = () => undefined
Object.assign(globalThis, { [Symbol.for('quorate.mutate.run')]: () => held() })

async function failureOf(test: Test, limitMs?: number): Promise<string | undefined> {
  try {
    const suites = suitesOf(test.suite)
    for (const suite of suites) {
      if (suite.ready) continue
      for (const body of suite.before) await body()
      suite.ready = true
    }
    for (const suite of suites) for (const body of suite.beforeEach) await body()
    try {
      await (limitMs === undefined ? test.run() : runWithin(test, limitMs))
    } finally {
      for (const suite of suites.toReversed()) for (const body of suite.afterEach.toReversed()) await body()
    }
    return undefined
  } catch (error) {
    if ((error as { code?: unknown } | undefined)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return ENDLESS
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}

/** Outermost first. */
function suitesOf(suite: Suite): readonly Suite[] {
  return suite.parent === undefined ? [suite] : [...suitesOf(suite.parent), suite]
}

const create = Object.assign(() => new InProcess(), { inject: [] as const })

export const strykerPlugins = [{ kind: 'TestRunner', name: 'in-process', factory: create }]
