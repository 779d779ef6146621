import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NodeEvent, StampedNodeEvent } from '../../src/node/types.ts'
import type { Clock } from '../../src/core/clock.ts'
import { PassThrough } from 'node:stream'
import { durationText, parseDuration } from '../../src/cli/duration.ts'
import { eventLine } from '../../src/cli/view/event-line.ts'
import { liveBlock } from '../../src/cli/view/live.ts'
import { makeStyle, styleOf } from '../../src/cli/view/style.ts'
import { statusLines } from '../../src/cli/view/status-view.ts'
import { printable, readable, table, truncate, widthOf, wrap } from '../../src/cli/view/text.ts'
import { upLines, upStart, upState } from '../../src/cli/view/up-view.ts'
import { CLUSTER, OTHER, READY, SELF, THIRD } from '../admin/fake-node.ts'

const plain = makeStyle({ color: false, unicode: true, columns: 100 })
const stamp = (event: NodeEvent, cluster: string | null = null): StampedNodeEvent => ({
  ...event,
  at: 1,
  node: SELF,
  cluster,
  attempt: 1
})
const hash = 'ab'.repeat(32)

describe('up', () => {
  const forming: readonly StampedNodeEvent[] = [
    stamp({ event: 'listening', addresses: [`/ip4/10.0.0.1/tcp/4001/p2p/${SELF}`] }),
    stamp({ event: 'stage', stage: 'preflight', status: 'done', ms: 5 }),
    stamp({ event: 'stage', stage: 'identity', status: 'done', ms: 12 }),
    stamp({ event: 'peer', peer: OTHER, status: 'discovered', source: 'mdns' }),
    stamp({ event: 'stage', stage: 'discovery', status: 'done', ms: 31.4 }),
    stamp({ event: 'peer', peer: OTHER, status: 'authenticated', seat: 2 }),
    stamp({
      event: 'peer',
      peer: THIRD,
      status: 'refused',
      source: 'us',
      code: 'foreign-domain',
      detail: 'evil\u001B[2J'
    }),
    stamp({ event: 'stage', stage: 'authentication', status: 'start', ms: 40 }),
    stamp({ event: 'waiting', waitingFor: ['2 of 3 founders: seat 3 not seen; tried 10.0.0.3'] })
  ]
  const ready: readonly StampedNodeEvent[] = [
    stamp({ event: 'stage', stage: 'authentication', status: 'done', ms: 55 }),
    stamp({ event: 'stage', stage: 'formation', status: 'done', ms: 80 }, CLUSTER),
    stamp({ event: 'leader', term: 1, leader: OTHER }, CLUSTER),
    stamp({ event: 'stage', stage: 'election', status: 'done', ms: 91 }, CLUSTER),
    stamp({ event: 'config', version: 1, hash, author: 'genesis', reason: '' }, CLUSTER),
    stamp({ event: 'stage', stage: 'config', status: 'done', ms: 101 }, CLUSTER),
    stamp({ event: 'ready', leader: OTHER, term: 1, configVersion: 1, configHash: hash, ms: 101 }, CLUSTER),
    stamp({ event: 'stage', stage: 'ready', status: 'done', ms: 101 }, CLUSTER)
  ]

  it('shows what is done, what is under way, and what is missing', () => {
    expect(upLines(forming.reduce(upState, upStart('plant-7')), plain)).toEqual([
      `plant-7 · ${SELF}`,
      '  listening on /ip4/10.0.0.1/tcp/4001',
      '  ✓  preflight       5 ms',
      '  ✓  identity        12 ms',
      '  ✓  discovery       31 ms  1 by mdns',
      '  ●  authentication         seat 2',
      '  ·  formation',
      '  ·  election',
      '  ·  config',
      '  ·  ready',
      '',
      '  ✓  …her2222  seat 2  authenticated  mdns',
      '  ✗  …ird3333          refused        foreign-domain: evil\\u{1b}[2J',
      '',
      '  waiting for 2 of 3 founders: seat 3 not seen; tried 10.0.0.3'
    ])
  })

  it('shows a ready node', () => {
    expect(upLines([...forming, ...ready].reduce(upState, upStart('plant-7')), plain)).toEqual([
      `plant-7 · ${SELF}`,
      '  listening on /ip4/10.0.0.1/tcp/4001',
      '  ✓  preflight       5 ms',
      '  ✓  identity        12 ms',
      '  ✓  discovery       31 ms   1 by mdns',
      '  ✓  authentication  55 ms   seat 2',
      '  ✓  formation       80 ms   cluster c1c1c1c1c1c1',
      '  ✓  election        91 ms   leader …her2222 (seat 2), term 1',
      '  ✓  config          101 ms  config 1  abababababab',
      '  ✓  ready           101 ms',
      '',
      '  ✓  …her2222  seat 2  authenticated, leader  mdns',
      '  ✗  …ird3333          refused                foreign-domain: evil\\u{1b}[2J'
    ])
  })

  it('in a short terminal leaves out peers, then addresses, then stages that are over; never what is missing', () => {
    const state = [...forming, stamp({ event: 'stopped', reason: 'stop' })].reduce(upState, upStart('plant-7'))
    const all = upLines(state, plain)
    const end = ['', '  waiting for 2 of 3 founders: seat 3 not seen; tried 10.0.0.3', '', '  stopped: stop']
    expect(all.slice(-4)).toEqual(end)
    for (let rows = 4; rows < all.length; rows++) {
      const lines = upLines(state, plain, rows)
      expect(lines.length, String(rows)).toBeLessThanOrEqual(rows)
      expect(lines.slice(-4)).toEqual(end)
      if (rows > 5) expect(lines.join()).toContain('authentication')
    }
    expect(upLines(state, plain, 16).slice(10, 12)).toEqual(['', '  2 peers'])
    expect(upLines(state, plain, 15)).toEqual([...all.slice(0, 10), ...end])
    expect(upLines(state, plain, 13)).toEqual([...all.slice(0, 1), ...all.slice(2, 10), ...end])
    expect(upLines(state, plain, 9)).toEqual([...all.slice(0, 1), ...all.slice(2, 6), ...end])
    expect(upLines(state, plain, 2)).toEqual(end.slice(-2))
  })

  it('forgets of a peer what was true of its last connection only, and counts nobody who is gone', () => {
    const back: readonly StampedNodeEvent[] = [
      stamp({ event: 'peer', peer: THIRD, status: 'discovered', source: 'mdns' }),
      stamp({ event: 'peer', peer: OTHER, status: 'disconnected', detail: 'the connection closed' })
    ]
    const gone = upLines([...forming, ...back].reduce(upState, upStart('plant-7')), plain).join('\n')
    expect(gone).toContain('disconnected  the connection closed')
    expect(gone).toMatch(/discovery +31 ms +1 by mdns\n/)
    const again = stamp({ event: 'peer', peer: OTHER, status: 'authenticated' })
    const lines = upLines([...forming, ...back, again].reduce(upState, upStart('plant-7')), plain)
    expect(lines).toContain('  ✓  …her2222  seat 2  authenticated  mdns')
    expect(lines.join('\n')).toMatch(/discovery +31 ms +2 by mdns\n/)
  })

  it('waits for nothing any more once there is a leader again', () => {
    const lost = stamp({ event: 'waiting', waitingFor: ['a majority'] }, CLUSTER)
    const found = stamp({ event: 'leader', term: 2, leader: OTHER }, CLUSTER)
    const config = stamp({ event: 'config', version: 1, hash, author: 'genesis', reason: '' }, CLUSTER)
    expect([config, lost, found].reduce(upState, upStart('p')).waitingFor).toEqual([])
    expect([lost, found].reduce(upState, upStart('p')).waitingFor).toEqual(['a majority'])
  })

  it('shows why a stage failed and how it ended', () => {
    const error = { name: 'SeatConflictError', code: 'ERR_SEAT_CONFLICT', message: 'seat 2 is claimed twice' }
    const lines = upLines(
      [
        stamp({ event: 'stage', stage: 'formation', status: 'failed', ms: 70, error }),
        stamp({ event: 'stopped', reason: 'error', error })
      ].reduce(upState, upStart('plant-7')),
      plain
    )
    expect(lines).toContain('  ✗  formation       70 ms  seat 2 is claimed twice')
    expect(lines.at(-1)).toBe('  stopped: SeatConflictError')
  })
})

describe('status', () => {
  it('is one screen', () => {
    expect(statusLines(READY, plain)).toEqual([
      'plant-7 · ready · leader',
      `  node       ${SELF} (seat 1)`,
      `  cluster    ${CLUSTER}`,
      '  leader     …elf1111 (seat 1), this node, term 3, writable',
      '  config     version 1  abababababab',
      '  safety     N=3, 4 incarnations seen, a split would need 6',
      '  listening  /ip4/127.0.0.1/tcp/4001',
      '  running    3 m 12 s',
      '',
      '  members',
      `    ✓  seat 1  voter  ${SELF}  10.0.0.1:4001  leader, this node`,
      `    ✓  seat 2  voter  ${OTHER}  10.0.0.2:4001  leads next`,
      `    ·  seat 3  voter  ${THIRD}  -              not connected`
    ])
  })

  it('shows priorities that somebody gave', () => {
    const [self, other, third] = READY.members
    const members = [{ ...self!, priority: 0 }, { ...other!, priority: 200 }, third!]
    expect(statusLines({ ...READY, members }, plain).slice(-3)).toEqual([
      `    ✓  seat 1  voter  ${SELF}  10.0.0.1:4001  leader, this node, priority 0`,
      `    ✓  seat 2  voter  ${OTHER}  10.0.0.2:4001  leads next, priority 200`,
      `    ·  seat 3  voter  ${THIRD}  -              not connected`
    ])
  })

  it('in a short terminal keeps what is missing and what to do', () => {
    const status = { ...READY, waitingFor: ['a majority'], advice: ['replace it'] }
    const all = statusLines(status, plain)
    const end = ['', '  waiting for', '    a majority', '', '  to do', '    replace it']
    expect(all.slice(-6)).toEqual(end)
    for (let rows = 7; rows < all.length; rows++) {
      const lines = statusLines(status, plain, rows)
      expect(lines.length).toBeLessThanOrEqual(rows)
      expect([lines[0], ...lines.slice(-6)]).toEqual([all[0], ...end])
    }
    expect(statusLines(status, plain, all.length - 1)).toContain('    and 2 more')
  })

  it('says which disk is which, and what to do', () => {
    const [first, second, third] = READY.members
    const reborn = { ...third!, storeId: '04', seat: undefined, role: 'learner', connected: true } as const
    const advice = [`${THIRD} came back: \`quorate replace\``]
    const lines = statusLines({ ...READY, members: [first!, second!, third!, reborn], advice }, plain)
    expect(lines.slice(-6)).toEqual([
      `    ✓  seat 2  voter    ${OTHER}  10.0.0.2:4001  leads next`,
      `    ·  seat 3  voter    ${THIRD}  -              not connected, disk 03`,
      `    ✓  -       learner  ${THIRD}  -              disk 04`,
      '',
      '  to do',
      `    ${advice[0]}`
    ])
  })

  it('of a node that has left says so, and judges no quorum', () => {
    const [self, ...others] = READY.members
    const members = [...others, { ...self!, role: 'observer', leader: false } as const]
    const waitingFor = ['this node is no longer a member: …']
    const lines = statusLines({ ...READY, stage: 'election', leader: null, role: null, members, waitingFor }, plain)
    expect(lines[0]).toBe('plant-7 · not a member')
    expect(lines.join('\n')).not.toMatch(/quorum|reachable/)
    expect(lines.at(-1)).toContain('no longer a member')
  })

  it('without a majority does not say that there is no config', () => {
    const text = (leader: string | null): string => statusLines({ ...READY, leader, config: null }, plain).join('\n')
    expect(text(null)).toContain('  config     not confirmed yet: without a majority')
    expect(text(OTHER)).toMatch(/ {2}config {5}not confirmed yet$/m)
    expect(statusLines({ ...READY, cluster: null, config: null }, plain).join('\n')).toContain('  config     none yet')
  })

  it('before founding names what is missing', () => {
    const forming = {
      ...READY,
      cluster: null,
      leader: null,
      config: null,
      role: null,
      stage: 'discovery',
      members: [],
      waitingFor: ['seat 3']
    } as const
    const lines = statusLines(forming, plain)
    expect(lines[0]).toBe('plant-7 · at stage discovery')
    expect(lines.slice(-2)).toEqual(['  waiting for', '    seat 3'])
  })
})

describe('a line for each event', () => {
  it.each<[NodeEvent, string | undefined]>([
    [{ event: 'listening', addresses: ['/a', '/b'] }, 'listening on /a /b'],
    [{ event: 'stage', stage: 'formation', status: 'start', ms: 1 }, undefined],
    [{ event: 'stage', stage: 'formation', status: 'done', ms: 12_345 }, 'formation done after 12.3 s'],
    [{ event: 'peer', peer: OTHER, status: 'authenticated', seat: 2 }, 'authenticated …her2222 (seat 2)'],
    [
      { event: 'peer', peer: OTHER, status: 'refused', source: 'them', code: 'clone' },
      'refused …her2222 by them: clone'
    ],
    [
      { event: 'peer', peer: '/ip4/10.0.0.9/tcp/4802', status: 'refused', source: 'us', code: 'clone' },
      'refused 10.0.0.9:4802 by us: clone'
    ],
    [{ event: 'leader', term: 2, leader: SELF }, 'leader this node, term 2'],
    [{ event: 'leader', term: 2, leader: null }, 'no leader in term 2'],
    [
      { event: 'config', version: 2, hash, author: OTHER, reason: 'a\nb' },
      'config version 2 abababababab by …her2222: a\\u{a}b'
    ],
    [{ event: 'member', peer: OTHER, role: 'removed' }, 'member …her2222 is removed'],
    [{ event: 'waiting', waitingFor: [] }, undefined],
    [{ event: 'alarm', code: 'multicast-blocked', detail: 'no echo' }, 'alarm multicast-blocked: no echo'],
    [{ event: 'stopped', reason: 'stop' }, 'stopped: stop']
  ])('%j', (event, line) => expect(eventLine(stamp(event))).toBe(line))
})

describe('text', () => {
  it('of an error of libp2p is one line without its stack', () => {
    expect(
      readable('cannot listen on /ip4/10.0.0.1/tcp/1:\n\n  /ip6/::1/tcp/2: Error: no\n    at f (a.js:1:2)\n    at g\n')
    ).toBe('cannot listen on 10.0.0.1:1: [::1]:2: Error: no')
    expect(readable('/dns4/host.example/tcp/4001/p2p/12D3KooWx, 12D3KooWabcdefghi at\u001B[2J')).toBe(
      'host.example:4001, 12D3KooWabcdefghi at\\u{1b}[2J'
    )
  })

  it('never lets a control character through, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => !/[\p{Cc}\u2028\u2029\u202E]/u.test(printable(text)))
    )
  })

  it('cut is never wider than asked, and is the text itself when it fits', () => {
    const coloured = fc.array(fc.oneof(fc.string(), fc.constantFrom('\u001B[31m', '\u001B[39m')))
    fc.assert(
      fc.property(coloured, fc.nat(30), (parts, columns) => {
        const text = parts.join('')
        const cut = truncate(text, columns)
        return widthOf(cut) <= columns && (widthOf(text) > columns || cut === text)
      })
    )
  })

  it('of a cut line closes its colours', () => {
    expect(truncate('\u001B[31mabcdef\u001B[39m', 4)).toBe('\u001B[31mabc…\u001B[0m')
  })

  it('is wrapped at blanks, and loses no word', () => {
    expect(wrap('one two three four', 9, '  ')).toEqual(['  one two', '  three', '  four'])
    expect(wrap('unbreakable', 4)).toEqual(['unbreakable'])
    const words = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1 })
    fc.assert(
      fc.property(words, fc.integer({ min: 8, max: 40 }), (list, columns) => {
        const lines = wrap(list.join(' '), columns)
        return lines.join(' ') === list.join(' ') && lines.every((line) => widthOf(line) <= columns)
      })
    )
  })

  it('in a table lines up, whatever its colours', () => {
    expect(
      table([
        ['\u001B[1ma\u001B[22m', 'bb'],
        ['ccc', '']
      ])
    ).toEqual(['\u001B[1ma\u001B[22m    bb', 'ccc'])
  })
})

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000]
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms))
  it.each(['', '5', 's', '0s', '-1s', '1 s', '1w', '1e3ms', 'NaNs'])('%j is none', (text) =>
    expect(() => parseDuration(text)).toThrow('is not a duration')
  )
  it.each([
    [0.4, '0 ms'],
    [999, '999 ms'],
    [59_999, '59.9 s'],
    [61_000, '1 m 1 s'],
    [3_661_000, '1 h 1 m'],
    [90_000_000, '1 d 1 h']
  ])('%d ms is %s', (ms, text) => expect(durationText(ms)).toBe(text))
})

describe('style', () => {
  const tty = Object.assign(new PassThrough(), { isTTY: true, columns: 60 })
  it.each([
    [{}, true],
    [{ NO_COLOR: '1' }, false],
    [{ NO_COLOR: '' }, true],
    [{ TERM: 'dumb' }, false]
  ])('%j: colour %s', (env, colour) => expect(styleOf(tty, env).red('x') !== 'x').toBe(colour))
  it('has no colour in a pipe, and plain symbols on a terminal without UTF-8', () => {
    expect(styleOf(new PassThrough(), {}).red('x')).toBe('x')
    expect(styleOf(tty, { LANG: 'C' }).symbols.done).toBe('+')
    expect(styleOf(tty, { LANG: 'de_DE.UTF-8' }).symbols.done).toBe('✓')
  })
})

describe('the live block', () => {
  /** A terminal of `columns` × `rows` that understands what the block writes. */
  function terminal(
    columns: number,
    rows: number
  ): { readonly stream: PassThrough; readonly screen: () => readonly string[] } {
    const lines: string[] = ['']
    let row = 0
    const stream = Object.assign(new PassThrough(), { columns, rows })
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      // oxlint-disable-next-line no-control-regex -- the escape character is what this is about
      for (const [part, count, what] of text.matchAll(/\u001B\[(\d*)([A-Z])|\n|\r|[^\u001B\n\r]+/g)) {
        if (what === 'A') row -= Number(count)
        else if (part === '\u001B[2J') lines.splice(0, lines.length, '')
        else if (what === 'J') lines.length = row + 1
        else if (what === 'H') row = 0
        else if (part === '\n') row++
        else if (part !== '\r' && what === undefined) lines[row] = part
        lines[row] ??= ''
        if (row < 0) throw new Error('moved above the screen')
      }
    })
    return { stream, screen: () => lines.slice(0, -1) }
  }

  function handClock(): Clock & { run(): void } {
    let due: (() => void) | undefined
    return {
      now: () => 0,
      wallNow: () => 0,
      setTimer(_ms: number, fn: () => void) {
        due = fn
        return { cancel: () => (due = undefined) }
      },
      run() {
        const fn = due
        due = undefined
        fn?.()
      }
    } as Clock & { run(): void }
  }

  it('is redrawn in place, shrinks, and keeps printed lines above', () => {
    const clock = handClock()
    const { stream, screen } = terminal(20, 10)
    const block = liveBlock(stream, clock)
    block.update(() => ['one', 'two', 'three'])
    expect(screen()).toEqual([])
    clock.run()
    expect(screen()).toEqual(['one', 'two', 'three'])
    block.print(['stays'])
    block.update(() => ['uno'])
    block.update(() => ['eins', 'x'.repeat(40)])
    clock.run()
    expect(screen()).toEqual(['stays', 'eins', `${'x'.repeat(18)}…`])
    block.close()
    block.close()
    block.print(['late'])
    expect(screen()).toEqual(['stays', 'late', 'eins', `${'x'.repeat(18)}…`])
  })

  it('keeps to what fits on the screen', () => {
    const clock = handClock()
    const { stream, screen } = terminal(20, 4)
    const block = liveBlock(stream, clock)
    block.update(() => ['1', '2', '3', '4', '5'])
    block.close()
    expect(screen()).toEqual(['1', '2', '3'])
  })

  it('clears the screen when its size changes, and prints again what was to stay', () => {
    const clock = handClock()
    const { stream, screen } = terminal(20, 8)
    const block = liveBlock(stream, clock)
    block.print(['early', 'a long line that stays', 'late'])
    block.update((rows) => [`${rows} rows`, 'two'])
    clock.run()
    expect(screen()).toEqual(['early', 'a long line that stays', 'late', '7 rows', 'two'])
    Object.assign(stream, { columns: 12, rows: 6 })
    stream.emit('resize')
    clock.run()
    // The long line takes two rows now, and the first one has no room any more.
    expect(screen()).toEqual(['a long line that stays', 'late', '5 rows', 'two'])
    block.close()
    expect(screen()).toEqual(['a long line that stays', 'late', '5 rows', 'two'])
    expect(stream.listenerCount('resize')).toBe(0)
  })
})
