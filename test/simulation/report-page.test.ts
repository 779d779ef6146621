/** The page of a scenario tells it: what failed is red and says what held instead, and every verb is there. */
import { describe, expect, it } from 'vitest'
import { type RecordedFault } from '../../src/simulation/recorder.ts'
import { castOf, Recorder, reportPage, run, runScenario, type ScenarioResult } from '../../src/simulation/index.ts'

const SCENARIO = `nodes 3
add all
run until agreed
set leader {"limit":2}
run 50
partition leader
run 400
repair
crash n3 power
pause n1
run 20
resume n1
hold n1 n2
clock n2 1.05
run 100
clone n1
`

async function played(
  expects: string
): Promise<ScenarioResult & { readonly html: string; readonly faults: readonly RecordedFault[] }> {
  const result = await runScenario({ text: SCENARIO + expects, record: true })
  const recorder = result.simulation.world.recorder!
  const { failures, expectations, simulation } = result
  const html = reportPage({ title: 't', recorder, virtualMs: simulation.nowMs, replay: 'r', failures, expectations })
  return { ...result, html, faults: recorder.faults }
}

const verdictOf = (html: string): string => /<p class="verdict[^]*?<\/p>/.exec(html)![0]

describe('the page of a scenario', () => {
  it('is red when an expectation does not hold, with its line and with what held instead', async () => {
    const { html, failures, transcript, simulation } = await played(
      'expect leader n9\nexpect config n1 7\nexpect down n2\nexpect formed\n'
    )
    const verdict = verdictOf(html)
    expect(verdict).toContain('class="verdict bad"')
    const leads = simulation.leader === undefined ? 'nobody leads' : `${simulation.leader} leads`
    expect(verdict).toContain(
      `Line 17, <b>expect leader n9</b>, does not hold at ${simulation.nowMs.toFixed(3)} ms: ${leads}`
    )
    expect(verdict).toContain('Line 18, <b>expect config n1 7</b>')
    expect(failures.map(({ line, instead }) => [line, instead])).toEqual([
      [17, leads],
      [18, expect.stringMatching(/^n1 has config \d$/)],
      ...(simulation.node('n2').state === 'down' ? [] : [[19, 'n2 is up']]),
      [20, expect.stringContaining('n1 up, config')]
    ])
    expect(transcript).toContain(`does not hold: ${leads}`)
    expect(html).toContain('"failures":[{"line":17')
  })

  it('is green when all of them hold, and says how many', async () => {
    const { html } = await played('expect config n1 2\nexpect standing n1 voter\n')
    expect(verdictOf(html)).toBe(
      '<p class="verdict">Every invariant held after every event of this run, and all 2 expectations.</p>'
    )
  })

  it('has every verb, those that last as long as they lasted, and names the lanes that are no machines of the plan', async () => {
    const { html, faults, simulation } = await played('')
    const told = faults.map(({ id, fromMs, untilMs, isVerb }) => {
      expect(isVerb).toBe(true)
      return untilMs === undefined ? `${id} on` : untilMs > fromMs ? `${id} ${untilMs - fromMs}` : id
    })
    expect(told).toEqual([
      'add',
      'add',
      'add',
      'set',
      'partition 400',
      'repair',
      'crash',
      'pause',
      'resume',
      'hold on',
      'clock on',
      'clone'
    ])
    expect(faults.find(({ id }) => id === 'crash')?.text).toMatch(/^crash n\d power$/)
    expect(faults.find(({ id }) => id === 'set')?.text).toMatch(/^set n\d \{"limit":2\}$/)
    const embedded = JSON.parse(/id="data">([^]*?)<\/script>/.exec(html)![1]!) as {
      readonly faults: readonly { readonly untilMs: number }[]
      readonly marks: readonly { readonly type: string }[]
    }
    expect(Math.max(...embedded.faults.map(({ untilMs }) => untilMs))).toBe(simulation.nowMs)
    expect(embedded.marks.filter(({ type }) => type === 'paused')).toHaveLength(2)
    expect(html).toContain('12 verbs</span>')
    expect(html).toContain('<b>n1c</b> is the second life of a disk that was copied')
  })

  it('of a seed counts faults, each with its words', async () => {
    const recorder = new Recorder()
    const { virtualMs } = run({ cast: await castOf(3), seed: 3, seconds: 8, recorder, load: 'light' })
    expect(recorder.faults.length).toBeGreaterThan(0)
    for (const { id, short, isVerb } of recorder.faults) {
      expect(isVerb).toBe(false)
      expect(short).toMatch(new RegExp(`^${id}: [a-z]`))
    }
    expect(reportPage({ title: 't', recorder, virtualMs, replay: 'r' })).toMatch(/ · \d+ faults?<\/span>/)
  })
})
