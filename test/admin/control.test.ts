import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { controlClient, CONTROL_SOCKET, type ControlServer, serveControl } from '../../src/admin/index.ts'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { conflict, FakeNode, OTHER, READY, THIRD } from './fake-node.ts'
import { eventually } from './eventually.ts'

let dataDir = ''
let node = new FakeNode()
let servers: ControlServer[] = []

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'qc-'))
  node = new FakeNode()
  servers = []
})

afterEach(async () => {
  for (const server of servers) await server.close()
  rmSync(dataDir, { recursive: true, force: true })
})

async function serve(options: Parameters<typeof serveControl>[2] = {}, directory = dataDir): Promise<ControlServer> {
  const server = await serveControl(node, join(directory, CONTROL_SOCKET), options)
  servers.push(server)
  return server
}

interface Raw {
  readonly status: number
  readonly body: string
}

/** What a program without our client sees. */
function raw(method: string, path: string, body = '', headers: Record<string, string> = {}): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(dataDir, CONTROL_SOCKET), method, path, headers, agent: false })
    asked.on('error', reject)
    asked.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
    })
    asked.end(body)
  })
}

describe('requests', () => {
  it('answer with what the node says', async () => {
    await serve()
    const client = controlClient(dataDir)
    expect(await client.status()).toEqual(READY)
    expect(await client.members()).toEqual(READY.members)
    expect(await client.config()).toBeUndefined()
    expect(await client.setConfig({ limit: 3 }, { ifVersion: 0, reason: 'first' })).toMatchObject({ version: 1 })
    expect(await client.config()).toMatchObject({ version: 1, hash: 'h1', value: { limit: 3 } })
    expect(await client.history()).toHaveLength(1)
    expect(await client.transfer({ to: OTHER })).toEqual({ peerId: OTHER, term: 4 })
    expect(node.asked).toEqual([
      ['set', { limit: 3 }, { ifVersion: 0, reason: 'first' }],
      ['transfer', { to: OTHER }]
    ])
  })

  it('change members, one route a change', async () => {
    await serve()
    const client = controlClient(dataDir)
    for (const change of ['promote', 'demote', 'remove'] as const) {
      expect(await client.changeMember(change, OTHER)).toEqual(READY.members)
    }
    expect(await client.replace(OTHER)).toEqual(READY.members)
    expect(await client.replace(OTHER, { by: THIRD })).toEqual(READY.members)
    expect(node.asked).toEqual([
      ['promote', OTHER],
      ['demote', OTHER],
      ['remove', OTHER],
      ['replace', OTHER, undefined],
      ['replace', OTHER, THIRD]
    ])
    for (const [path, body] of [
      ['promote', '{}'],
      ['remove', '{"peer":7}'],
      ['demote', '{"peer":"a","force":true}'],
      ['replace', '{"peer":"a","by":false}']
    ]) {
      expect((await raw('POST', `/v1/members/${path}`, body)).status, path).toBe(400)
    }
    expect((await raw('GET', '/v1/members/promote')).status).toBe(405)
  })

  it('pass any JSON value, null and false included', async () => {
    await serve()
    const client = controlClient(dataDir)
    for (const value of [null, false, 0, '', [], 'x\u2028y']) {
      expect((await client.setConfig(value)).value).toEqual(value)
    }
  })

  it('work with curl', async (context) => {
    await serve()
    const curl = spawnSync('curl', ['--version'])
    if (curl.error !== undefined) return context.skip('curl is not installed')
    const { promise, resolve } = Promise.withResolvers<string>()
    execFile(
      'curl',
      ['-s', '--unix-socket', join(dataDir, CONTROL_SOCKET), 'http://localhost/v1/status'],
      (_error, out) => resolve(out)
    )
    expect(JSON.parse(await promise)).toEqual(READY)
  })

  it('bring the node error over with name, code, message, details and next step', async () => {
    await serve()
    node.failure = conflict()
    const error = await controlClient(dataDir)
      .setConfig({}, { ifVersion: 4 })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      name: 'ConfigConflictError',
      code: 'ERR_CONFIG_CONFLICT',
      message: 'the config is at version 5, not 4',
      details: { expected: 4, present: 5, raw: '0102', big: '12' },
      nextStep: 'Read it again.'
    })
    expect((await raw('PUT', '/v1/config', '{"value":1}')).status).toBe(409)
  })

  it('abort in the node when the client gives up', async () => {
    await serve()
    const aborted = node.hang()
    const giveUp = new AbortController()
    const answer = controlClient(dataDir)
      .setConfig({}, { signal: giveUp.signal })
      .catch((error: unknown) => error)
    await eventually(() => node.asked.length).toBe(1)
    giveUp.abort(new Error('enough'))
    expect(await answer).toMatchObject({ message: 'enough' })
    expect(await aborted).toMatchObject({ message: 'the client went away' })
  })

  it.each([
    ['the limit of the server', { requestMsMax: 20 }, {}],
    ['what the client grants', {}, { timeoutMs: 20 }],
    ['the limit of the server, whatever the client grants', { requestMsMax: 20 }, { timeoutMs: 1e9 }]
  ])('are answered with a timeout after %s', async (_what, limits, granted) => {
    await serve(limits)
    const aborted = node.hang()
    await expect(controlClient(dataDir).transfer(granted)).rejects.toMatchObject({
      name: 'ControlTimeoutError',
      details: { request: 'POST /v1/transfer', timeoutMs: 20 }
    })
    // By this name a node knows a deadline, which it answers with what it waits for.
    expect(await aborted).toMatchObject({ name: 'TimeoutError' })
  })

  it.each([
    ['GET', '/v1/nothing', '', 404, 'no such path'],
    ['GET', '/constructor', '', 404, 'no such path'],
    ['DELETE', '/v1/config', '', 405, 'takes GET, PUT, not DELETE'],
    ['POST', '/v1/events', '', 405, 'takes GET'],
    ['PUT', '/v1/config', '{"value":', 400, 'not JSON'],
    ['PUT', '/v1/config', '[]', 400, 'not a JSON object'],
    ['PUT', '/v1/config', '{}', 400, 'no "value"'],
    ['PUT', '/v1/config', '{"value":1,"force":true}', 400, 'unknown key "force"'],
    ['PUT', '/v1/config', '{"value":1,"ifVersion":-1}', 400, 'not a whole number'],
    ['PUT', '/v1/config', '{"value":1,"ifVersion":"4"}', 400, 'not a whole number'],
    ['PUT', '/v1/config', '{"value":1,"reason":7}', 400, '"reason" is not a text'],
    ['POST', '/v1/transfer', '{"to":7}', 400, 'not a PeerId'],
    ['POST', '/v1/leave', '{"now":true}', 400, 'unknown key'],
    ['PUT', '/v1/config', `{"value":"${'x'.repeat(300)}"}`, 413, 'larger than 200 bytes']
  ])('%s %s %s: refused with %i', async (method, path, body, status, text) => {
    await serve({ bodyBytesMax: 200 })
    const answer = await raw(method, path, body)
    expect(answer.status).toBe(status)
    expect((JSON.parse(answer.body) as { error: { message: string } }).error.message).toContain(text)
    expect(node.asked).toEqual([])
  })

  it('refuse a body that is only found to be too long while it comes', async () => {
    await serve({ bodyBytesMax: 200 })
    const answer = await raw('PUT', '/v1/config', `{"value":"${'x'.repeat(300)}"}`, { 'transfer-encoding': 'chunked' })
    expect(answer.status).toBe(413)
  })

  /** Of a request that never ends: its head, and what has come of its body. */
  function begun(head: string, body: string): Socket {
    const socket = connect(join(dataDir, CONTROL_SOCKET))
    socket.on('error', () => {})
    socket.write(`PUT /v1/config HTTP/1.1\r\nhost: localhost\r\n${head}\r\n\r\n${body}`)
    return socket
  }

  it('refuse a body that goes on and on, without waiting for its end', async () => {
    await serve({ bodyBytesMax: 200 })
    const socket = begun('transfer-encoding: chunked', `12c\r\n${'x'.repeat(300)}\r\n`)
    const text: string = await new Promise((resolve) => {
      let answer = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk))
      socket.on('close', () => resolve(answer))
    })
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(node.asked).toEqual([])
  })

  it('are forgotten when the client hangs up in the middle of its body', async () => {
    let timers = 0
    const setTimer: Clock['setTimer'] = (delayMs, fn) => {
      const timer = systemClock.setTimer(delayMs, fn)
      timers++
      return { cancel: () => (timers--, timer.cancel()) }
    }
    await serve({ clock: { ...systemClock, setTimer } })
    const socket = begun('content-length: 300', '{"value":')
    await eventually(() => timers).toBe(1)
    socket.destroy()
    await eventually(() => timers).toBe(0)
    expect(node.asked).toEqual([])
  })

  it('refuse bytes that are not UTF-8', async () => {
    await serve()
    const asked = request({
      socketPath: join(dataDir, CONTROL_SOCKET),
      method: 'PUT',
      path: '/v1/config',
      agent: false
    })
    const status = new Promise((resolve) => asked.on('response', (response) => resolve(response.statusCode)))
    asked.end(Buffer.from([0x22, 0xff, 0x22]))
    expect(await status).toBe(400)
  })
})

describe('events', () => {
  it('stream from the moment of subscription until the node stops', async () => {
    await serve()
    const events = await controlClient(dataDir).events()
    node.emit({ event: 'leader', term: 3, leader: OTHER })
    node.commit({ a: 1 }, 'because')
    const seen: unknown[] = []
    for await (const event of events) {
      seen.push(event.event)
      if (event.event === 'config') await node.stop()
    }
    expect(seen).toEqual(['leader', 'config', 'stopped'])
    await eventually(() => node.listeners).toBe(0)
  })

  it('end when the reader leaves, and the node forgets it', async () => {
    await serve()
    const events = await controlClient(dataDir).events()
    node.emit({ event: 'writable', term: 3 })
    for await (const event of events) {
      expect(event).toMatchObject({ event: 'writable', term: 3 })
      break
    }
    await eventually(() => node.listeners).toBe(0)
  })

  it('end with the reason of the signal', async () => {
    await serve()
    const giveUp = new AbortController()
    const events = await controlClient(dataDir).events({ signal: giveUp.signal })
    giveUp.abort(new Error('enough'))
    const reading = (async () => {
      for await (const event of events) expect(event).toBeUndefined()
    })()
    await expect(reading).rejects.toThrow('enough')
  })

  it('cut off a reader that does not read, and go on with the others', async () => {
    await serve({ eventBacklogBytesMax: 1_000 })
    const slow = await new Promise<{ pause(): void; resume(): void; on(name: string, listener: () => void): void }>(
      (resolve) => {
        request({ socketPath: join(dataDir, CONTROL_SOCKET), path: '/v1/events', agent: false }, resolve).end()
      }
    )
    slow.pause()
    const cut = new Promise<void>((resolve) => slow.on('close', resolve))
    slow.on('error', () => {})
    const detail = 'x'.repeat(4_096)
    for (let i = 0; i < 2_000 && node.listeners > 0; i++) {
      node.emit({ event: 'alarm', code: 'test', detail })
      await new Promise((resolve) => setImmediate(resolve))
    }
    await eventually(() => node.listeners).toBe(0)
    slow.resume()
    await cut
    expect(await controlClient(dataDir).members()).toHaveLength(3)
  })

  it('end when the server closes, without an error', async () => {
    const server = await serve()
    const events = await controlClient(dataDir).events()
    await server.close()
    const seen: unknown[] = []
    for await (const event of events) seen.push(event)
    expect(seen).toEqual([])
  })
})

describe('the socket', () => {
  it('is for its owner only', async () => {
    await serve()
    expect(statSync(join(dataDir, CONTROL_SOCKET)).mode & 0o777).toBe(0o600)
    expect(existsSync(join(dataDir, 'control.json'))).toBe(false)
  })

  it('replaces the one that a killed process left', async () => {
    const path = join(dataDir, CONTROL_SOCKET)
    const leave = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', leave])
    expect(existsSync(path)).toBe(true)
    const client = controlClient(dataDir)
    await expect(client.status()).rejects.toMatchObject({
      name: 'NodeNotRunningError',
      details: { reason: 'dead-socket' }
    })
    await serve()
    expect(await client.status()).toEqual(READY)
  })

  it('is gone after close, which may be called twice', async () => {
    const server = await serve()
    await Promise.all([server.close(), server.close()])
    expect(existsSync(join(dataDir, CONTROL_SOCKET))).toBe(false)
    await expect(controlClient(dataDir).status()).rejects.toMatchObject({
      code: 'ERR_NODE_NOT_RUNNING',
      details: { reason: 'no-socket' }
    })
  })

  it('lets a request in flight finish before it closes', async () => {
    const server = await serve()
    const { promise, resolve } = Promise.withResolvers<void>()
    node.leave = async () => {
      node.asked.push('leave')
      await promise
    }
    const left = controlClient(dataDir).leave()
    await eventually(() => node.asked.length).toBe(1)
    const closed = server.close()
    resolve()
    await left
    await closed
  })

  it('closes although a request never ends', async () => {
    const server = await serve({ closeMsMax: 20 })
    void node.hang()
    const answer = controlClient(dataDir)
      .transfer()
      .catch((error: unknown) => error)
    await eventually(() => node.asked.length).toBe(1)
    await server.close()
    expect(await answer).toMatchObject({ name: 'ControlLostError' })
  })

  it('lies elsewhere when its path is too long, for its owner only', async () => {
    const deep = join(dataDir, 'd'.repeat(60), 'e'.repeat(60))
    mkdirSync(deep, { recursive: true })
    const server = await serve({}, relative('.', deep))
    const pointer = JSON.parse(readFileSync(join(deep, 'control.json'), 'utf8')) as { pid: number; socket: string }
    expect(pointer).toEqual({ pid: process.pid, socket: server.path })
    expect(Buffer.byteLength(pointer.socket)).toBeLessThan(108)
    expect(statSync(dirname(pointer.socket)).mode & 0o777).toBe(0o700)
    expect(statSync(pointer.socket).mode & 0o777).toBe(0o600)
    for (const spelling of [deep, relative('.', deep)]) expect(await controlClient(spelling).status()).toEqual(READY)
    await server.close()
    expect(existsSync(dirname(pointer.socket))).toBe(false)
    expect(existsSync(join(deep, 'control.json'))).toBe(false)
  })

  it('removes the folder of a killed process, and nothing that a pointer only claims to be one', async () => {
    const old = mkdtempSync(join(tmpdir(), 'quorate-'))
    const innocent = mkdtempSync(join(tmpdir(), 'innocent-'))
    for (const [folder, gone] of [
      [old, true],
      [innocent, false]
    ] as const) {
      writeFileSync(join(dataDir, 'control.json'), JSON.stringify({ pid: 1, socket: join(folder, CONTROL_SOCKET) }))
      const server = await serve()
      expect(existsSync(folder)).toBe(!gone)
      expect(await controlClient(dataDir).status()).toEqual(READY)
      await server.close()
    }
    rmSync(innocent, { recursive: true })
  })

  it('that speaks something else, or nothing, is told apart from a node', async () => {
    const foreign = createServer((socket) => socket.end('hello\n', () => socket.destroy()))
    await new Promise<void>((resolve) => foreign.listen(join(dataDir, CONTROL_SOCKET), resolve))
    await expect(controlClient(dataDir).status()).rejects.toMatchObject({ name: 'ControlLostError' })
    await new Promise((resolve) => foreign.close(resolve))
  })

  it('of a directory that does not exist says so', async () => {
    await expect(controlClient(join(dataDir, 'none')).status()).rejects.toMatchObject({
      details: { reason: 'no-directory' }
    })
  })

  it('survives garbage from a client', async () => {
    await serve()
    const socket = connect(join(dataDir, CONTROL_SOCKET))
    socket.on('error', () => {})
    socket.end('\u0000\u0001 nonsense\r\n\r\n')
    await new Promise((resolve) => socket.on('close', resolve))
    expect(await controlClient(dataDir).status()).toEqual(READY)
  })
})
