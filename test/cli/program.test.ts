import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { quorate } from './harness.ts'

const COMMANDS = ['init', 'up', 'status', 'members', 'config', 'transfer', 'leave', 'id', 'inspect']

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

  it('names only commands that exist', async () => {
    const { out } = await quorate(['--help'])
    for (const name of ['promote', 'demote', 'remove', 'doctor', 'token', 'simulate'])
      expect(out).not.toContain(`\n  ${name} `)
  })
})

describe('usage errors', () => {
  it.each([
    [['sttus'], "unknown command 'sttus' (Did you mean status?)"],
    [['--frob'], "unknown option '--frob'"],
    [['status'], "required option '--data <dir>' not specified"],
    [['status', '--data', 'x', '--jsn'], "unknown option '--jsn' (Did you mean --json?)"],
    [['up', '--data', 'x', '--deadline', 'soon'], '"soon" is not a duration'],
    [['up', '--data', 'x', '--name', 'demo'], '--name belongs to --new'],
    [['up', '--data', 'x', '--new', '--token', 't'], '--new makes its own genesis and token'],
    [['up', '--data', 'x', '--new'], '--new needs --name'],
    [['up', '--data', 'x', '--no-mdns', '--interface', 'lo'], '--interface is for mDNS'],
    [['up', '--data', 'x', '--token', '-', '--stop-with-parent'], 'both need standard input'],
    [['up', '--data', 'x', '--token', 'no-such-file'], 'cannot read the token file no-such-file'],
    [['up', '--data', 'x', '--timing', 'moon'], 'Allowed choices are lan, wan, edge']
  ])('%j', async (argv, text) => {
    const people = await quorate(argv)
    expect([people.code, people.out]).toEqual([2, ''])
    expect(people.err).toContain(`error: `)
    expect(people.err).toContain(text)
    const { code, json } = await quorate([...argv, '--json'])
    expect(code).toBe(2)
    expect(json()).toMatchObject([{ event: 'error', message: expect.stringContaining(text) as unknown }])
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
