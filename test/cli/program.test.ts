import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { QuorateError } from '../../src/core/errors.ts'
import { NoQuorumError } from '../../src/node/errors.ts'
import type { Io } from '../../src/cli/io.ts'
import { listenOption, seedOption } from '../../src/cli/addresses.ts'
import { NoInterfaceError } from '../../src/cli/cli-errors.ts'
import { listenOn, unknownInterfaces } from '../../src/cli/interfaces.ts'
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.ts'
import { errorLines, reportError } from '../../src/cli/report.ts'
import { withDataDir } from '../../src/cli/shell-words.ts'
import { explained } from '../../src/cli/system-errors.ts'
import { quorate } from './harness.ts'

const COMMANDS = [
  ...['init', 'up', 'status', 'members', 'config', 'promote', 'demote', 'replace', 'remove', 'transfer', 'leave', 'id'],
  ...['token', 'inspect', 'simulate']
]

describe('help', () => {
  it('lists every command and every exit code', async () => {
    const { code, out, err } = await quorate(['--help'])
    expect([code, err]).toEqual([0, ''])
    for (const name of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    for (const exit of Object.values(EXIT)) expect(out).toMatch(new RegExp(`^ {2}${exit} `, 'm'))
    expect((await quorate([])).out).toBe(out)
  })

  it.each(COMMANDS)('of %s has --json and an example, either way it is asked for', async (name) => {
    const { code, out } = await quorate([name, '--help'])
    expect([code, out]).toEqual([0, expect.stringContaining('--json')])
    expect(out).toMatch(/Example:\n {2}\$ quorate /)
    expect((await quorate(['help', name])).out).toBe(out)
  })

  it.each(['get', 'set', 'history'])('of config %s has --json and an example', async (name) => {
    const { out } = await quorate(['config', name, '--help'])
    expect(out).toContain('--json')
    expect(out).toContain(`$ quorate config ${name}`)
  })

  it('shows defaults as people write them', async () => {
    expect((await quorate(['token', 'create', '--help'])).out).toMatch(/--ttl <duration>[^-]*\(default: 24h\)/)
    const { out } = await quorate(['simulate', '--help'])
    expect(out).toMatch(/--seeds <range>[^-]*\(default: 1\.\.100\)/)
    expect(out).not.toMatch(/default: \{/)
  })

  it('of a command that only holds others, and of what is no command, is an error that names them', async () => {
    for (const [argv, message] of [
      [['config'], 'quorate config is not a command by itself: which of get, set, history'],
      [['token', '--json'], 'quorate token is not a command by itself: which of create?'],
      [['help', 'nope'], "unknown command 'nope'"],
      [['sttus', '--help'], "unknown command 'sttus' (Did you mean status?)"],
      [['config', 'gett', '--help'], "unknown command 'gett' (Did you mean get?)"],
      [['help', 'config', 'gett'], "unknown command 'gett'"]
    ] as const) {
      const { code, out, err } = await quorate(argv)
      expect([code, out], argv.join(' ')).toEqual([2, ''])
      expect(err).toContain(message)
      expect(err).not.toMatch(/outputHelp|Usage:/)
    }
    expect((await quorate(['help', 'config', 'get'])).out).toBe((await quorate(['config', 'get', '--help'])).out)
  })

  it('names only commands that exist', async () => {
    const { out } = await quorate(['--help'])
    expect(out).not.toContain('\n  doctor ')
  })
})

describe('usage errors', () => {
  it.each([
    [['sttus'], "unknown command 'sttus' (Did you mean status?)"],
    [['--frob'], "unknown option '--frob'"],
    [['status'], "required option '--data <dir>' not specified"],
    [['status', '--data', 'x', '--jsn'], "unknown option '--jsn' (Did you mean --json?)"],
    [['up', '--data', 'x', '--deadline', 'soon'], '"soon" is not a duration: write a number and a unit'],
    [['up', '--data', 'x', '--listen', 'foo'], '--listen foo: that is no address to listen on'],
    [['up', '--data', 'x', '--listen', '4001'], '--listen 4001'],
    [['up', '--data', 'x', '--listen', '127.0.0.1:70000'], '--listen 127.0.0.1:70000'],
    [['up', '--data', 'x', '--listen', '1.2.3:1'], 'no address to listen on'],
    [['up', '--data', 'x', '--listen', '/dns4/host/tcp/1'], 'no address to listen on'],
    [['up', '--data', 'x', '--seed', 'host'], '--seed host: it has no port'],
    [['up', '--data', 'x', '--seed', 'a:1', 'b:0'], '--seed b:0: 0 is not a port'],
    [['up', '--data', 'x', '--name', 'demo'], '--name belongs to --new'],
    [['up', '--data', 'x', '--new', '--token', 't'], '--new makes its own genesis and token'],
    [['up', '--data', 'x', '--new'], '--new needs --name'],
    [
      ['up', '--data', 'x', '--no-mdns', '--interface', 'lo', '--listen', '127.0.0.1:0'],
      '--interface has nothing to say beside --no-mdns and --listen'
    ],
    [['up', '--data', 'x', '--token', '-', '--stop-with-parent'], 'both need standard input'],
    [['up', '--data', 'x', '--token', 'no-such-file'], 'cannot read the token file no-such-file'],
    [['up', '--data', 'x', '--token', 'QTK1.AAAA'], 'looks like a token and does not begin as one'],
    [['up', '--data', 'x', '--token', `"qtk1.${'a'.repeat(300)}`], 'looks like a token and does not begin as one'],
    [['up', '--data', 'x', '--snapshot-every', '0'], '0'],
    [['up', '--data', 'x', '--priority', '1001'], 'It is not a whole number from 0 to 1000'],
    [['up', '--data', 'x', '--priority', '-1'], 'from 0 to 1000'],
    [['up', '--data', 'x', '--timing', 'moon'], 'Allowed choices are fast, lan, wan, edge']
  ])('%j', async (argv, text) => {
    const people = await quorate(argv)
    expect([people.code, people.out]).toEqual([2, ''])
    expect(people.err).toContain(`error: `)
    expect(people.err).toContain(text)
    const { code, out, err } = await quorate([...argv, '--json'])
    expect([code, out]).toEqual([2, ''])
    const { error } = JSON.parse(err) as { error: Record<string, unknown> }
    expect(error['message']).toContain(text)
    expect(Object.keys(error).slice(0, 4)).toEqual(['name', 'code', 'message', 'hint'])
  })

  it('never print a token, wherever it was given', async () => {
    const token = 'qtk1.c2VjcmV0LXNlZWQ'
    for (const argv of [
      ['inspect', token],
      ['inspect', token.toUpperCase()],
      [token],
      ['up', '--data', token, token]
    ]) {
      const { code, out, err } = await quorate(argv)
      expect([code, out, err]).toEqual([2, '', expect.not.stringMatching(/c2Vj/i)])
    }
  })
})

describe('options', () => {
  it('show their defaults as they are written', async () => {
    expect((await quorate(['status', '--help'])).out).toMatch(/--timeout <duration> .*\(default: 10s\)/)
    expect((await quorate(['up', '--help'])).out).toMatch(/--seats <n>[^-]*\(default:\s+3\)/)
  })

  it('--listen takes multiaddrs and IP:port, and gives multiaddrs', () => {
    const given = ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/0', '127.0.0.1:4001', '[::1]:0']
    const taken = given.reduce<readonly string[]>((before, text) => listenOption(text, before), [])
    expect(taken).toEqual(['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/0', '/ip4/127.0.0.1/tcp/4001', '/ip6/::1/tcp/0'])
    const seeds = ['10.0.0.3:4001', 'host:4001', '[::1]:4001', '/dns4/host/tcp/1']
    expect(seeds.reduce<readonly string[]>((before, text) => seedOption(text, before), [])).toEqual(seeds)
  })

  it('--interface is where a node listens: its addresses and no others', () => {
    type Address = NonNullable<ReturnType<typeof networkInterfaces>[string]>[number]
    const has = (...addresses: readonly string[]): Address[] => addresses.map((address) => ({ address }) as Address)
    const here = {
      lo: has('127.0.0.1', '::1'),
      eth0: has('192.0.2.7', '198.51.100.7', 'fe80::7'),
      six: has('fe80::1', '2001:db8::1'),
      bare: has('fe80::2', 'fe90::2', 'FEA0::2', 'feb0::2'),
      twin: has('127.0.0.1')
    }
    expect(listenOn(['lo'], here)).toEqual(['/ip4/127.0.0.1/tcp/0'])
    expect(listenOn(['lo', 'twin'], here)).toEqual(['/ip4/127.0.0.1/tcp/0'])
    expect(listenOn(['eth0', '192.0.2.7', 'nope'], here)).toEqual(['/ip4/192.0.2.7/tcp/0', '/ip4/198.51.100.7/tcp/0'])
    expect(listenOn(['198.51.100.7', 'six'], here)).toEqual(['/ip4/198.51.100.7/tcp/0', '/ip6/2001:db8::1/tcp/0'])
    for (const none of [['nope'], ['bare'], []]) expect(() => listenOn(none, here)).toThrow(NoInterfaceError)
    expect(() => listenOn(['nope'], { lo: [] })).toThrow(
      expect.objectContaining({ details: { interfaces: ['nope'], present: ['lo'] } })
    )
  })

  it('of a node that has nowhere to listen end it before anything is made', async () => {
    const data = join(tmpdir(), `quorate-test-never-made-${process.pid}`)
    const { code, err } = await quorate([
      'up',
      '--data',
      data,
      '--new',
      '--name',
      'a',
      '--interface',
      'no-such-interface'
    ])
    expect([code, err]).toEqual([
      8,
      expect.stringContaining('--interface no-such-interface: nothing here has this name')
    ])
    expect((await quorate(['up', '--data', data, '--new', '--name', 'a', '--listen', 'foo'])).code).toBe(2)
    expect(existsSync(data)).toBe(false)
  })

  it('of an interface that is not here are told from those that are', () => {
    const address = { address: '127.0.0.1' } as NonNullable<ReturnType<typeof networkInterfaces>[string]>[number]
    expect(unknownInterfaces(['lo', 'nope', '127.0.0.1', '10.9.9.9'], { lo: [address], eth0: [] })).toEqual([
      { name: 'nope', present: ['lo', 'eth0'] },
      { name: '10.9.9.9', present: ['lo', 'eth0'] }
    ])
  })
})

describe('loading', () => {
  it('takes the commands only when they run: the entry imports none of them, nor what is heavy', () => {
    const entry = ['main.ts', 'program.ts', 'io.ts', 'report.ts', 'exit-codes.ts', 'cli-errors.ts']
    for (const file of [...entry, ...readdirSync('src/cli/commands').map((name) => `commands/${name}`)]) {
      const statics = [...readFileSync(`src/cli/${file}`, 'utf8').matchAll(/^(?:import|export) .*from '([^']+)'/gm)]
      const paths = statics.map(([line, path]) => (line.startsWith('import type') ? '' : path!))
      for (const path of paths) {
        expect(path, file).not.toMatch(/libp2p|pino|node\/(?:create-)?node|identity|transport|storage/)
        if (!file.startsWith('commands/')) expect(path, file).not.toContain('commands/')
      }
    }
  })
})

describe('exit codes', () => {
  /** Thrown and caught within the protocol, or by a caller's bug: no command ever ends with one. */
  const INNER = new Set([
    'AdmissionBrokenError',
    'CborError',
    'DialFailedError',
    'FieldError',
    'FormationMessageError',
    'FrameError',
    'FramingError',
    'InvalidConfigStateError',
    'LocalClusterTimeoutError',
    'RaftMessageError',
    'SnapshotError',
    'TransportStoppedError',
    'UnreadableCommandError'
  ])

  it('are decided for every error that a command can end with', () => {
    const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
    const names = files.flatMap((file) =>
      [...readFileSync(`src/${file}`, 'utf8').matchAll(/\bsuper\(\s*'(\w+Error)',\s*'ERR_/g)].map(([, name]) => name!)
    )
    expect(names.length).toBeGreaterThan(40)
    const undecided = names.filter((name) => !INNER.has(name) && exitCodeOf({ name }) === EXIT.bug)
    expect(undecided).toEqual([])
    for (const name of INNER) expect(names, 'an error that is gone').toContain(name)
  })

  it.each([
    ['ENOSPC', 'write', 6],
    ['EIO', 'fsync', 6],
    ['EACCES', 'mkdir', 8],
    ['EROFS', 'open', 8],
    ['EADDRINUSE', 'listen', 8],
    ['EACCES', 'bind', 8]
  ])('of %s at %s is %i, and no bug', async (code, syscall, exitCode) => {
    const error = Object.assign(new Error(`${code}: refused`), { code, syscall, errno: -1, path: '/a/path' })
    const shown = await explained(error)
    expect(exitCodeOf(shown)).toBe(exitCode)
    expect(errorLines(shown).join('\n')).toMatch(/\/a\/path[^]*\nnext: (?!This is a bug)/)
  })

  it('of a bug is 1, and it asks to be reported', async () => {
    const bug = new TypeError('x is not a function')
    expect(await explained(bug)).toBe(bug)
    expect(exitCodeOf(bug)).toBe(1)
    expect(errorLines(bug).at(-1)).toContain('bug')
  })

  it('of people are told once, in lines that fit, with addresses as they are written by hand', () => {
    const peer = `12D3KooW${'K'.repeat(44)}`
    const missing = `seat 2 not seen; tried ${peer} at /ip4/10.0.0.3/tcp/4001/p2p/${peer}: refused`
    const lines = errorLines(new NoQuorumError(10_000, [missing]), 60)
    expect(lines).toEqual([
      'error: not decided within 10000 ms: seat 2 not seen;',
      '    tried …KKKKKKK at 10.0.0.3:4001: refused',
      '  waitedMs: 10000',
      expect.stringMatching(/^next: Bring a majority/),
      ...Array.from({ length: lines.length - 4 }, () => expect.stringMatching(/^ {4}\S/) as unknown)
    ])
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(60)
    expect(
      errorLines(
        new QuorateError('AError', 'ERR_A', 'a b', {
          details: { same: 'a b', other: 'c', list: ['a', 'd'], free: undefined }
        })
      )
    ).toEqual(['error: a b', '  other: c', '  list: ["a","d"]'])
  })

  it('name commands as they can be pasted where this one was run', async () => {
    const sentences = [
      ['Run `quorate status` to see.', "Run `quorate status --data 'a b'` to see."],
      ['`quorate replace PEER` gives it', "`quorate replace --data 'a b' PEER` gives it"],
      ['`quorate config get --secrets`', "`quorate config get --data 'a b' --secrets`"],
      ['`quorate status --data x`, `quorate token create`', '`quorate status --data x`, `quorate token create`']
    ] as const
    for (const [said, pasted] of sentences) {
      expect(withDataDir(said, 'a b')).toBe(pasted)
      expect(withDataDir(said, undefined)).toBe(said)
    }
    const stderr = new PassThrough()
    const error = new QuorateError('AError', 'ERR_A', 'a', { nextStep: 'See `quorate members`.' })
    reportError({ stderr } as unknown as Io, error, false, 'n1')
    reportError({ stderr } as unknown as Io, error, true, 'n1')
    expect(String(stderr.read())).toMatch(
      /next: See `quorate members --data n1`\.\n.*"hint":"See `quorate members --data n1`\."/
    )
    const none = await quorate(['up', '--data', join(tmpdir(), 'quorate-none'), '--listen', '127.0.0.1:0'])
    expect(none.err).toContain('next: Pass --token with one of the tokens')
    rmSync(join(tmpdir(), 'quorate-none'), { recursive: true })
  })

  it('come with JSON whose first four values nothing can take the place of', () => {
    const values = { name: 'no', code: 'no', message: 'no', hint: 'no', seat: 2, bytes: new Uint8Array([1]) }
    const stderr = new PassThrough()
    const io = { stderr } as unknown as Io
    for (const [error, hint] of [
      [new QuorateError('AError', 'ERR_A', 'a', { details: values, nextStep: 'do' }), 'do'],
      [new QuorateError('AError', 'ERR_A', 'a', { details: values }), null]
    ] as const) {
      reportError(io, error, true)
      expect(String(stderr.read())).toBe(
        `{"error":{"name":"AError","code":"ERR_A","message":"a","hint":${JSON.stringify(hint)},"seat":2,"bytes":"01"}}\n`
      )
    }
    reportError(io, new TypeError('x'), true)
    expect(JSON.parse(String(stderr.read()))).toMatchObject({
      error: {
        name: 'TypeError',
        code: 'ERR_UNEXPECTED',
        message: 'x',
        hint: expect.stringContaining('bug') as unknown
      }
    })
  })

  it('of a folder that cannot be made is 8', async () => {
    const { code, err } = await quorate([
      'init',
      '--name',
      'p',
      '--seats',
      '1',
      '--plaintext-key',
      '--out',
      'package.json/p'
    ])
    expect([code, err]).toEqual([8, expect.stringContaining('package.json/p')])
  })
})
