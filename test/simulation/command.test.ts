/** The command: what it prints, its exit codes, the one line that replays a failure, the page. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quorate } from '../cli/harness.ts'

let directory = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quorate-simulate-'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

describe('quorate simulate', () => {
  it('prints the report of a campaign as JSON', async () => {
    const { code, json } = await quorate(['simulate', '--nodes', '3', '--seeds', '1..4', '--seconds', '5', '--json'])
    expect(code).toBe(0)
    const [report] = json()
    expect(report).toMatchObject({
      nodes: 3,
      seeds: 4,
      violations: [],
      traceHash: expect.stringMatching(/^[0-9a-f]{64}$/)
    })
    for (const key of ['virtualSeconds', 'wallSeconds', 'events', 'elections']) expect(report![key]).toBeGreaterThan(0)
    const again = await quorate(['simulate', '--nodes', '3', '--seeds', '1..4', '--seconds', '5', '--json'])
    expect(again.json()[0]!['traceHash']).toBe(report!['traceHash'])
  })

  it('says that a scenario held, where its page is, and that no seed goes with it', async () => {
    const file = join(directory, 'held.txt')
    const page = join(directory, 'held.html')
    await writeFile(file, 'nodes 3\nadd all\nrun until agreed\nexpect config all 1\n')
    const held = await quorate(['simulate', '--scenario', file, '--report', page])
    expect(held.code).toBe(0)
    expect(held.out).toMatch(/every invariant held for \d+\.\d s of cluster time, and so did the expectation/)
    expect(held.out).toContain(`the page of it: ${page} (`)
    const both = await quorate(['simulate', '--scenario', file, '--seeds', '1..3', '--light'])
    expect(both.code).toBe(2)
    expect(both.err).toContain('--scenario does not go with --seeds, --light')
    const one = await quorate(['simulate', '--nodes', '3', '--seeds', '1', '--seconds', '2', '--light'])
    expect(one.out).toContain('every invariant held in 1 run\n')
  })

  it('lets machines join and measures it, for people and as JSON', async () => {
    const words = ['simulate', '--nodes', '3', '--joiners', '5']
    const { code, out: stdout } = await quorate(words)
    expect(code).toBe(0)
    expect(stdout).toMatch(/8 machines are members and hold the config after \d\.\d s/)
    expect(stdout).toMatch(/virtual time +members +with config +connections/)
    const { json } = await quorate([...words, '--json'])
    expect(json()[0]).toMatchObject({ machines: 8, founders: 3, violations: [], heapBytes: expect.any(Number) })
  })

  it('ends with 1 when an invariant breaks, names one command that replays it, and that command fails as well', async () => {
    // A majority of disks that are set back is beyond what is promised.
    const page = join(directory, 'bad.html')
    const words = ['--nodes', '3', '--seeds', '10..25', '--seconds', '12', '--faults', 'P5', '--report', page]
    const { code, json } = await quorate(['simulate', ...words, '--json'])
    expect(code).toBe(1)
    const { violations, replay } = json()[0] as { violations: { invariant: string }[]; replay: string }
    expect(violations.length).toBeGreaterThan(0)
    const again = await quorate([...replay.split(' ').slice(1), '--json'])
    expect(again.code).toBe(1)
    expect(again.json()[0]).toMatchObject({ violation: { invariant: violations[0]!.invariant } })
    expect(await readFile(page, 'utf8')).toContain(violations[0]!.invariant)
    // For people: each fault that is left, and whom it hits.
    const { out } = await quorate(replay.split(' ').slice(1))
    const left = out.split('\n').filter((line) => line.startsWith('  P5'))
    expect(left.length).toBeGreaterThan(0)
    for (const line of left) expect(line).toMatch(/^ {2}P5 disk set back (?:leader|n[1-4]) at \d+ ms for \d+ ms$/)
  })

  it('plays a scenario and says when an expectation does not hold', async () => {
    const file = join(directory, 'scenario.txt')
    await writeFile(
      file,
      'nodes 3\nadd all\nrun until formed\nset leader {"limit":2}\nrun until agreed\nexpect config all 2\n'
    )
    const page = join(directory, 'ok.html')
    const good = await quorate(['simulate', '--scenario', file, '--report', page])
    expect(good.code).toBe(0)
    expect(good.out).toMatch(/formed after [\d.]+ ms/)
    const html = await readFile(page, 'utf8')
    expect(html).toContain('Every invariant held')
    // Nothing is fetched from anywhere.
    expect(html).not.toMatch(/(?:src|href)=|url\(|@import|fetch\(/)
    await writeFile(file, 'nodes 1\nadd all\nrun until formed\nexpect no leader\n')
    const bad = await quorate(['simulate', '--scenario', file])
    expect(bad.code).toBe(1)
    expect(bad.out).toContain('expect no leader does not hold')
  })

  it('refuses what it does not understand', async () => {
    for (const words of [
      ['--nodes', '12'],
      ['--seeds', '9..1'],
      ['--faults', 'X1'],
      ['--seconds', '0']
    ]) {
      expect((await quorate(['simulate', ...words])).code, words.join(' ')).toBe(2)
    }
  })
})
