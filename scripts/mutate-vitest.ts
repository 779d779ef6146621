/**
 * What tests import from `vitest` while changes of the code are tried (mutate-runner.ts): they are collected here instead of
 * run, and the assertions are vitest's own.
 */
import { format } from 'node:util'

export { expect, vi } from 'vitest'

type Body = (...args: readonly unknown[]) => unknown

export interface Suite {
  readonly name: string
  readonly parent: Suite | undefined
  readonly before: Body[]
  readonly beforeEach: Body[]
  readonly afterEach: Body[]
  /** `before` has run. */
  ready: boolean
}

export interface Test {
  readonly id: string
  readonly file: string
  readonly suite: Suite
  readonly run: () => unknown
}

const suiteIn = (name: string, parent: Suite | undefined): Suite => ({
  name,
  parent,
  before: [],
  beforeEach: [],
  afterEach: [],
  ready: false
})

let current = suiteIn('', undefined)
let tests: Test[] = []

/** What this file registers when it is imported. */
export async function collect(file: string, load: () => Promise<unknown>): Promise<readonly Test[]> {
  tests = []
  current = suiteIn(file, undefined)
  await load()
  return tests
}

function pathOf(suite: Suite): string {
  return suite.parent === undefined ? suite.name : `${pathOf(suite.parent)} > ${suite.name}`
}

/** Options may stand on either side of the body; time limits are the runner's. */
const bodyIn = (args: readonly unknown[]): Body => args.find((arg) => typeof arg === 'function') as Body

function declareTest(name: string, ...args: readonly unknown[]): void {
  const suite = current
  const file = pathOf(suite).split(' > ')[0]!
  // The number keeps tests of one name apart.
  tests.push({ id: `${pathOf(suite)} > ${name} #${tests.length}`, file, suite, run: bodyIn(args) })
}

function declareSuite(name: string, ...args: readonly unknown[]): void {
  const outer = current
  current = suiteIn(name, outer)
  try {
    bodyIn(args)()
  } finally {
    current = outer
  }
}

type Declare = (name: string, ...args: readonly unknown[]) => void

const nothing: Declare = () => {}

function withVariants(declare: Declare) {
  const each =
    (rows: readonly unknown[]) =>
    (name: string, ...args: readonly unknown[]): void => {
      const body = bodyIn(args)
      for (const row of rows) {
        const values = Array.isArray(row) ? (row as readonly unknown[]) : [row]
        declare(format(name, ...values.slice(0, name.split('%').length - 1)), () => body(...values))
      }
    }
  return Object.assign((name: string, ...args: readonly unknown[]) => declare(name, ...args), {
    each,
    skip: nothing,
    skipIf: (isSkipped: boolean) => (isSkipped ? nothing : declare),
    runIf: (isRun: boolean) => (isRun ? declare : nothing)
  })
}

export const test = withVariants(declareTest)
export const it = withVariants(declareTest)
export const describe = withVariants(declareSuite)

export const beforeAll = (body: Body): void => void current.before.push(body)
export const beforeEach = (body: Body): void => void current.beforeEach.push(body)
export const afterEach = (body: Body): void => void current.afterEach.push(body)
/** Suites are never over: the next change runs them again. */
export const afterAll = (_body: Body): void => {}
