import { describe, expect, it } from 'vitest'
import { type StageReport, Stages } from '../../src/observability/stages.ts'

/** A node that was started at 1,000; the hands of its clock are moved by the test. */
function started(): { readonly stages: Stages; readonly clock: { now: number }; readonly said: () => string[] } {
  const clock = { now: 1_090 }
  const reports: StageReport[] = []
  const stages = new Stages({ now: () => clock.now, startedAt: 1_000, report: (report) => reports.push(report) })
  const said = (): string[] => reports.splice(0).map(({ stage, status, ms }) => `${ms} ${stage} ${status}`)
  return { stages, clock, said }
}

const past = [
  { stage: 'preflight', startedAt: 1_000, endedAt: 1_030 },
  { stage: 'identity', startedAt: 1_030, endedAt: 1_080 }
] as const

describe('stages', () => {
  it('that were over before anybody could report them are told with the times at which they happened', () => {
    const { stages, said } = started()
    expect(stages.current).toBe('preflight')
    stages.begin(past)
    expect(said()).toEqual([
      '0 preflight start',
      '30 preflight done',
      '30 identity start',
      '80 identity done',
      '90 discovery start'
    ])
    expect([stages.current, stages.elapsedMs]).toEqual(['discovery', 90])
  })

  it('are timed to the microsecond, whatever fractions leave behind', () => {
    const { stages, clock, said } = started()
    clock.now = 1_000 + 1_736.754_626_999_999_8
    stages.begin([])
    expect([stages.elapsedMs, said()]).toEqual([1_736.755, ['1736.755 preflight start']])
  })

  it('of a node that forms a cluster come in order, each once', () => {
    const { stages, clock, said } = started()
    stages.begin(past)
    said()
    for (const stage of ['discovery', 'authentication', 'formation', 'election', 'config', 'ready'] as const) {
      clock.now += 10
      expect([stages.finish(stage), stages.finish(stage)]).toEqual([true, false])
    }
    expect(said()).toEqual([
      '100 discovery done',
      '100 authentication start',
      '110 authentication done',
      '110 formation start',
      '120 formation done',
      '120 election start',
      '130 election done',
      '130 config start',
      '140 config done',
      '140 ready start',
      '150 ready done'
    ])
    expect([stages.current, stages.isDone('ready')]).toEqual(['ready', true])
  })

  it('may be done before their turn, as founding is after a restart', () => {
    const { stages, clock, said } = started()
    stages.begin(past)
    said()
    clock.now += 5
    stages.finish('formation', { cluster: 'c' })
    expect(said()).toEqual(['95 formation start', '95 formation done'])
    expect(stages.current).toBe('discovery')
  })

  it('fail where the node is, and not once it was ready', () => {
    const { stages, said } = started()
    const error = { name: 'ListenFailedError', code: 'ERR_LISTEN_FAILED', message: 'no' }
    stages.begin(past)
    said()
    stages.fail(error)
    expect(said()).toEqual(['90 discovery failed'])
    stages.finish('ready')
    said()
    stages.fail(error)
    expect(said()).toEqual([])
  })
})
