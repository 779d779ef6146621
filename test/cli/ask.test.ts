import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/core/json.ts'
import { createGenesis, generateLocalKey } from '../../src/identity/index.ts'
import { CONTROL_SOCKET, type ControlServer, serveControl } from '../../src/admin/index.ts'
import { NodeStoppedError, NoQuorumError, RequestRefusedError } from '../../src/node/errors.ts'
import { conflict, FakeNode, OTHER, READY, SELF, THIRD } from '../admin/fake-node.ts'
import { quorate, start } from './harness.ts'
import { eventually } from '../admin/eventually.ts'

const issuer = generateLocalKey()
let data = ''
let node = new FakeNode()
let server: ControlServer

beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), 'qa-'))
  node = new FakeNode()
  server = await serveControl(node, join(data, CONTROL_SOCKET))
  await placeGenesis({})
})
afterEach(async () => {
  await server.close()
  rmSync(data, { recursive: true, force: true })
})

/** As a node keeps it beside its socket. */
async function placeGenesis(schema: object | undefined): Promise<void> {
  const rules = schema === undefined ? {} : { schema: schema as JsonValue }
  const genesis = await createGenesis(
    { name: 'p', foundingSize: 1, mode: 'seats', timing: 'lan', createdAtMs: 0, ...rules },
    [issuer.signer]
  )
  writeFileSync(join(data, 'genesis.cose'), genesis.bytes)
}

const ask = (...argv: readonly string[]): ReturnType<typeof quorate> => quorate([...argv, '--data', data])

describe('status', () => {
  it('is for people or, with --json, the facts as they are', async () => {
    const people = await ask('status')
    expect(people.code).toBe(0)
    expect(people.out).toContain('plant-7 · ready · leader')
    expect((await ask('status', '--json')).json()).toEqual([READY])
  })

  it('says clearly that there is no quorum', async () => {
    node.facts = {
      ...READY,
      role: 'pre-candidate',
      leader: null,
      writable: false,
      waitingFor: ['a majority: 1 of 3 …']
    }
    const { code, out } = await ask('status')
    expect(code).toBe(0)
    expect(out).toContain('no quorum')
    expect(out).toContain('2 of 3 voters reachable, 2 needed')
    expect(out).toContain('a majority: 1 of 3 …')
  })

  it('without a running node names the directory and the next step', async () => {
    await server.close()
    const { code, err, out } = await ask('status')
    expect([code, out]).toEqual([8, ''])
    expect(err).toBe(
      `error: no node runs on ${data}: it has no control socket\n  reason: no-socket\nnext: Start it: quorate up --data ${data}\n`
    )
    const json = await ask('status', '--json')
    expect([json.code, json.out]).toEqual([8, ''])
    expect(JSON.parse(json.err)).toEqual({
      error: {
        name: 'NodeNotRunningError',
        code: 'ERR_NODE_NOT_RUNNING',
        message: expect.stringContaining('no node runs on') as unknown,
        hint: expect.stringContaining('quorate up') as unknown,
        dataDir: data,
        reason: 'no-socket'
      }
    })
  })

  it('with --watch prints a line for each change, and ends with the node', async () => {
    const running = start(['status', '--data', data, '--json', '--watch'])
    await eventually(() => running.out()).toContain('"term":3')
    node.emit({ event: 'peer', peer: OTHER, status: 'disconnected' })
    node.facts = { ...READY, uptimeMs: 1 }
    node.emit({ event: 'peer', peer: OTHER, status: 'disconnected' })
    node.facts = { ...READY, term: 4 }
    node.emit({ event: 'leader', term: 4, leader: SELF })
    await eventually(() => running.out()).toContain('"term":4')
    await node.stop()
    await server.close()
    const { code, err, json } = await running.done
    expect([code, err, json().map(({ term }) => term)]).toEqual([0, '', [3, 4]])
  })

  it('with --watch tells a node that stopped from one that failed, and from one that is gone without a word', async () => {
    const watched = async (end: () => Promise<void>): Promise<[number, string]> => {
      const running = start(['status', '--data', data, '--watch'])
      await eventually(() => running.out()).toContain('ready')
      await end()
      const { code, err } = await running.done
      return [code, err]
    }
    expect(await watched(() => node.stop())).toEqual([0, 'the node has stopped\n'])
    const error = { name: 'StorageFullError', code: 'ERR_STORAGE_FULL', message: 'no space left' }
    const failed = await watched(async () => node.emit({ event: 'stopped', reason: 'error', error }))
    expect(failed).toEqual([4, expect.stringContaining('the node has stopped: no space left')])
    const gone = await watched(() => server.close())
    expect(gone).toEqual([8, expect.stringContaining('its process ended without stopping in order')])
    expect(gone[1]).toContain(`next: Start it: quorate up --data ${data}`)
  })

  it('with --watch tells a connection that was cut from a node that is gone', async () => {
    // Between the command and the node, and cut there.
    const place = mkdtempSync(join(tmpdir(), 'qw-'))
    const links: Socket[] = []
    const between = createServer((near) => {
      const far = connect(join(data, CONTROL_SOCKET))
      links.push(near, far)
      pipeline(near, far, near, () => {})
    })
    await new Promise<void>((resolve) => between.listen(join(place, CONTROL_SOCKET), resolve))
    const running = start(['status', '--data', place, '--watch'])
    await eventually(() => running.out()).toContain('ready')
    for (const link of links.splice(0)) link.destroy()
    const { code, err } = await running.done
    expect([code, err]).toEqual([4, expect.stringContaining('GET /v1/events')])
    await new Promise((resolve) => between.close(resolve))
    rmSync(place, { recursive: true })
  })

  it('with --watch on a terminal redraws, and ends with 130 when interrupted', async () => {
    const running = start(['status', '--data', data, '--watch'], { tty: true })
    await eventually(() => running.out()).toContain('ready')
    node.facts = { ...READY, name: 'renamed' }
    node.emit({ event: 'writable', term: 3 })
    await eventually(() => running.out()).toContain('renamed')
    running.interrupt('SIGINT')
    expect((await running.done).code).toBe(130)
  })

  it('with --watch and no node fails at once', async () => {
    await server.close()
    expect((await ask('status', '--watch')).code).toBe(8)
  })
})

describe('changes of members', () => {
  it.each([
    [['promote', OTHER], { promoted: OTHER }, `promoted ${OTHER}`, ['promote', OTHER]],
    [['demote', OTHER], { demoted: OTHER }, `demoted ${OTHER}`, ['demote', OTHER]],
    [['remove', OTHER], { removed: OTHER }, `removed ${OTHER}`, ['remove', OTHER]],
    [['replace', OTHER], { replaced: OTHER, by: OTHER }, 'by its new disk', ['replace', OTHER, undefined]],
    [['replace', OTHER, SELF], { replaced: OTHER, by: SELF }, `by ${SELF}`, ['replace', OTHER, SELF]]
  ])('%j', async (words, answer, line, asked) => {
    const people = await ask(...words)
    expect([people.code, people.out]).toEqual([0, expect.stringContaining(line)])
    expect(people.out).toContain('seat 1  voter')
    expect((await ask(...words, '--json')).json()).toEqual([{ ...answer, members: READY.members }])
    expect(node.asked).toEqual([asked, asked])
  })

  it.each([
    ['2', OTHER],
    ['seat-2', OTHER],
    ['…her2222', OTHER],
    ['2222', OTHER],
    [`${OTHER}#02`, `${OTHER}#02`],
    [`12D3KooW${'K'.repeat(44)}`, `12D3KooW${'K'.repeat(44)}`]
  ])('%s names a member', async (text, peer) => {
    expect((await ask('promote', text)).code).toBe(0)
    expect((await ask('transfer', text)).code).toBe(0)
    expect((await ask('replace', text, '3')).code).toBe(0)
    expect(node.asked).toEqual([
      ['promote', peer],
      ['transfer', { to: peer }],
      ['replace', peer, THIRD]
    ])
  })

  it.each([
    ['7', 'no member is seat 7; there are seat 1 (12D3'],
    ['2x2', 'no member is 2x2'],
    ['nobody', 'no member is nobody'],
    ['Twin', `Twin can be ${SELF}Twin or ${OTHER}Twin`]
  ])('%s names none, or more than one', async (text, message) => {
    node.facts = {
      ...READY,
      members: READY.members.map((one) => (text === 'Twin' ? { ...one, peerId: `${one.peerId}Twin` } : one)).slice(0, 2)
    }
    const { code, err } = await ask('remove', text)
    expect([code, err]).toEqual([2, expect.stringContaining(message)])
    expect(node.asked).toEqual([])
  })

  it.each([
    ['transfer'],
    ['leave'],
    ['config', 'set', '{}'],
    ['promote', '2'],
    ['demote', OTHER],
    ['remove', '2'],
    ['replace', '2']
  ])('%s before founding is answered at once', async (...words) => {
    node.facts = { ...READY, cluster: null, stage: 'discovery', waitingFor: ['1 of 3 founders'], members: [] }
    const { code, err } = await ask(...words)
    expect([code, err]).toEqual([7, expect.stringContaining('not founded yet (stage discovery)')])
    expect(err.split('1 of 3 founders')).toHaveLength(2)
    expect(node.asked).toEqual([])
  })

  it('that are refused end with 3 and show the arithmetic', async () => {
    const detail = 'removing C leaves 2 voters of which 1 is reachable, and 2 are needed'
    node.failure = new RequestRefusedError('the removal', 'would-lose-quorum', detail)
    const { code, err } = await ask('remove', OTHER)
    expect([code, err]).toEqual([3, expect.stringContaining(detail)])
    expect(err).toContain('\nnext: Bring more voters up')
    expect(err).toContain(`\`quorate members --data ${data}\``)
    const hint: unknown = (JSON.parse((await ask('leave', '--json')).err) as { error: object }).error
    expect(hint).toMatchObject({ hint: expect.stringContaining('Bring more voters up') as unknown })
    expect((await ask('remove')).code).toBe(2)
    expect((await ask('remove', OTHER, '--force')).code).toBe(2)
    expect((await ask('remove', '--help')).out).toContain('There is no way to force it')
  })
})

describe('members', () => {
  it('names seat, role and who leads', async () => {
    const { out } = await ask('members')
    expect(out.split('\n').slice(0, 3)).toEqual([
      `✓  seat 1  voter  ${SELF}  10.0.0.1:4001  leader, this node`,
      `✓  seat 2  voter  ${OTHER}  10.0.0.2:4001  leads next`,
      expect.stringMatching(/^· {2}seat 3 {2}voter .*not connected$/)
    ])
    expect((await ask('members', '--json')).json()).toEqual([READY.members])
  })

  it('shows whose vote is not counted, and what becomes of those who have none', async () => {
    const [leader, second, third] = READY.members
    const learner = { ...third!, role: 'learner', seat: undefined, connected: true, heir: undefined } as const
    node.facts = {
      ...READY,
      members: [
        leader!,
        { ...second!, barred: 'clone' },
        { ...learner, vote: 'by-itself' },
        { ...learner, storeId: '04', vote: 'when-promoted' },
        { ...learner, storeId: '05', role: 'observer', vote: 'never' }
      ]
    }
    const lines = (await ask('members')).out.split('\n')
    expect(lines[1]).toMatch(/^✗ .*barred: clone, its vote is not counted/)
    expect(lines[2]).toMatch(/- +learner .*gets a vote by itself/)
    expect(lines[3]).toContain('votes when promoted')
    expect(lines[4]).toMatch(/- +observer .*never votes/)
    // Connected, and no help for a decision.
    node.facts = { ...node.facts, leader: null, writable: false }
    expect((await ask('status')).out).toContain('1 of 2 voters reachable, 2 needed')
    const self = { ...leader!, barred: 'rolled-back', leader: false }
    node.facts = { ...READY, role: null, leader: null, writable: false, members: [self, second!, third!] }
    const { out } = await ask('status')
    expect(out).toContain('plant-7 · barred')
    expect(out).toContain("none known: this node's vote is not counted (rolled-back)")
    expect(out).not.toMatch(/no quorum|needed/)
  })
})

describe('config', () => {
  it('get says that there is none yet', async () => {
    node.facts = { ...READY, stage: 'formation', waitingFor: ['seat 3'] }
    const { code, out, err } = await ask('config', 'get', '--json')
    expect([code, out]).toEqual([7, ''])
    expect(JSON.parse(err)).toMatchObject({
      error: { name: 'NotFormedError', stage: 'formation', waitingFor: ['seat 3'] }
    })
  })

  it('set takes a file, standard input, or JSON text where no file has that name', async () => {
    writeFileSync(join(data, 'new.json'), '{"from": "file"}')
    expect((await ask('config', 'set', '{"from":"text"}')).out).toBe('config is at version 1  h1\n')
    expect((await ask('config', 'set', join(data, 'new.json'), '--if-version', '1', '--reason', 'why not')).code).toBe(
      0
    )
    const third = await quorate(['config', 'set', '-', '--data', data, '--json'], { stdin: '{"from":"stdin"}' })
    expect(third.json()).toMatchObject([{ version: 3, value: { from: 'stdin' } }])
    expect(node.asked).toEqual([
      ['set', { from: 'text' }, {}],
      ['set', { from: 'file' }, { ifVersion: 1, reason: 'why not' }],
      ['set', { from: 'stdin' }, {}]
    ])
    const got = await ask('config', 'get')
    expect(got.out).toBe('version 3  h3\n{\n  "from": "stdin"\n}\n')
    const history = await ask('config', 'history')
    expect(history.out.split('\n')[2]).toMatch(/^2 +h2 +2026-11-20 05:02:24 +term 3 +….{7} +why not$/)
    expect((await ask('config', 'history', '--json')).json()[0]).toHaveLength(3)
  })

  it('hides in every answer what the schema marks as secret, unless it is asked for', async () => {
    node.commit({ password: 'hunter2', limit: 1 }, '')
    rmSync(join(data, 'genesis.cose'))
    const unknown = await ask('config', 'get')
    expect([unknown.code, unknown.out]).toEqual([2, ''])
    await placeGenesis({ type: 'object', properties: { password: { type: 'string', 'x-secret': true } } })
    expect((await ask('config', 'get')).out).toContain('"password": "[redacted]",\n  "limit": 1')
    const value = '{"password":"hunter3","limit":2}'
    const answers = [
      ['get', '--json'],
      ['history', '--json'],
      ['set', value, '--json'],
      ['watch', '--count', '1'],
      ['watch', '--count', '1', '--json']
    ]
    for (const words of answers) {
      const { code, out } = await ask('config', ...words)
      expect([code, out]).toEqual([0, expect.not.stringContaining('hunter')])
      expect(out).toMatch(/"password": ?"\[redacted\]"/)
      expect((await ask('config', ...words, '--secrets')).out).toContain('hunter')
    }
    expect((await ask('config', 'get', '--secrets')).out).toContain('hunter3')
    const asked = node.asked.length
    // What was read is not sent back with the word in place of the secret.
    const back = await ask('config', 'set', '{"password":"[redacted]","limit":3}')
    expect([back.code, back.err]).toEqual([
      2,
      expect.stringContaining('/password is [redacted], which only stands for')
    ])
    expect(node.asked).toHaveLength(asked)
  })

  it('hides nothing where no schema says what is secret', async () => {
    node.commit({ password: 'hunter2' }, '')
    await placeGenesis(undefined)
    expect((await ask('config', 'get')).out).toContain('hunter2')
    expect((await ask('config', 'set', '{"password":"[redacted]"}')).code).toBe(0)
  })

  it('watch begins with what is there and prints each version once, until there are enough', async () => {
    const early = start(['config', 'watch', '--data', data, '--count', '3', '--json'])
    await eventually(() => node.listeners).toBe(1)
    node.commit({ limit: 1 }, 'first')
    await eventually(() => early.out()).toContain('first')
    node.commit({ limit: 2 }, 'second')
    node.commit({ limit: 3 }, 'third')
    node.commit({ limit: 4 }, 'one too many')
    const { code, json } = await early.done
    expect([code, json().map(({ version, reason, value }) => [version, reason, value])]).toEqual([
      0,
      [
        [1, 'first', { limit: 1 }],
        [2, 'second', { limit: 2 }],
        [3, 'third', { limit: 3 }]
      ]
    ])
    expect(json()[0]).toMatchObject({ hash: 'h1', author: SELF, term: 3 })
    const late = await ask('config', 'watch', '--count', '1')
    expect(late.out).toBe('version 4  h4  2026-11-20 05:02:24 UTC  by …elf1111: one too many\n{\n  "limit": 4\n}\n')
  })

  it('watch ends with the node: well, when it was not asked for more', async () => {
    node.commit({ limit: 1 }, 'first')
    const watched = async (...words: readonly string[]): Promise<[number, string]> => {
      const running = start(['config', 'watch', '--data', data, ...words])
      await eventually(() => running.out()).toContain('version 1')
      await node.stop()
      const { code, err } = await running.done
      return [code, err]
    }
    expect(await watched()).toEqual([0, 'the node has stopped\n'])
    expect(await watched('--count', '2')).toEqual([4, expect.stringContaining('after 1 of 2 versions')])
    const cut = start(['config', 'watch', '--data', data, '--count', '2'])
    await eventually(() => cut.out()).toContain('version 1')
    await server.close()
    expect((await cut.done).code).toBe(8)
  })

  it('set reports a conflict with both versions, code 5', async () => {
    node.failure = conflict()
    const { code, err } = await ask('config', 'set', '{}', '--if-version', '4')
    expect(code).toBe(5)
    expect(err).toMatch(/^error: the config is at version 5, not 4\n {2}expected: 4\n {2}present: 5\n/)
    expect(err).toMatch(/\nnext: Read it again\.\n$/)
  })

  it.each([
    ['the lack of a quorum', new NoQuorumError(2_000, ['a majority']), 7],
    ['a node that stops', new NodeStoppedError('stop was called'), 4],
    ['a bug', new TypeError('x is not a function'), 1]
  ])('set reports %s', async (_what, failure, code) => {
    node.failure = failure
    const { code: exitCode, err, out } = await ask('config', 'set', '{}', '--json')
    expect([exitCode, out]).toEqual([code, ''])
    expect(JSON.parse(err)).toMatchObject({ error: { name: failure.name, message: failure.message } })
  })

  it('set gives up after --timeout, code 4', async () => {
    void node.hang()
    const { code, err } = await ask('config', 'set', '{}', '--timeout', '30ms')
    expect([code, err]).toEqual([4, expect.stringContaining('no answer to PUT /v1/config within 30 ms')])
  })

  it('get gives values that JSON cannot hold as text', async () => {
    node.failure = conflict()
    const { err } = await ask('config', 'set', '{}', '--json')
    expect(JSON.parse(err)).toMatchObject({ error: { expected: 4, present: 5, raw: '0102', big: '12' } })
  })

  it.each([
    [['config', 'set', '{'], 'not JSON'],
    [['config', 'set', '{"a":1e400}'], '/a is 1e400, which is larger'],
    [['config', 'set', '{"a":1,"a":2}'], '/a stands there twice'],
    [['config', 'set', 'none.json'], 'cannot read the JSON file none.json: there is no such file'],
    [['config', 'set', '.'], 'it is a directory'],
    [['config', 'set', '{}', '--if-version', 'x'], 'not a whole number'],
    [['config', 'set', '{}', '--timeout', '5'], 'is not a duration'],
    [['config', 'set'], "missing required argument 'file'"],
    [['config', 'frobnicate'], "unknown command 'frobnicate'"],
    [['transfer', 'a', 'b'], 'too many arguments']
  ])('refuses %j, code 2', async (argv, text) => {
    const { code, err } = await ask(...argv)
    expect([code, err]).toEqual([2, expect.stringContaining(text)])
    expect(node.asked).toEqual([])
  })
})

describe('transfer and leave', () => {
  it('say what became of it', async () => {
    expect((await ask('transfer')).out).toBe(`leader is ${OTHER}, term 4\n`)
    expect((await ask('transfer', SELF, '--json')).json()).toEqual([{ peerId: SELF, term: 4 }])
    expect((await ask('leave')).out).toBe('left the cluster; the node has stopped\n')
    expect(node.asked).toEqual([['transfer', {}], ['transfer', { to: SELF }], ['leave']])
  })
})
