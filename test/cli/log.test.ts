import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { QuorateError } from '../../src/core/errors.ts'
import { systemClock } from '../../src/core/clock.ts'
import { LastWords, LOG_LEVELS, makeLogger, redact } from '../../src/cli/log.ts'
import { Secret } from '../../src/identity/secret.ts'

const CANARY = 'qtk1.canary_Canary-0123456789'

function log(
  tty: boolean,
  level: (typeof LOG_LEVELS)[number] = 'debug',
  json = true
): { readonly logger: ReturnType<typeof makeLogger>; readonly text: () => string } {
  const stderr = Object.assign(new PassThrough(), tty ? { isTTY: true } : {})
  let text = ''
  stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const io = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr,
    env: { NO_COLOR: '1' },
    clock: systemClock,
    interrupt: new AbortController().signal
  }
  return { logger: makeLogger(io, level, json, (lines) => (text += `${lines.join('\n')}\n`)), text: () => text }
}

describe('the log', () => {
  it('is JSON in a pipe with --json, and short lines for people, on a terminal or not', () => {
    const pipe = log(false)
    pipe.logger.warn({ peer: 'p', n: 1 }, 'something')
    expect(JSON.parse(pipe.text())).toMatchObject({ level: 'warn', peer: 'p', n: 1, msg: 'something' })
    const plain = log(false, 'debug', false)
    plain.logger.warn({ n: 1 }, 'some\nthing')
    expect(plain.text()).toBe('warn some\\u{a}thing n=1\n')
    const terminal = log(true)
    terminal.logger.warn({ peer: 'p', bad: '\u001B[2J' }, 'some\nthing')
    expect(terminal.text()).toBe('warn some\\u{a}thing peer="p" bad="\\u001b[2J"\n')
  })

  it.each([
    ['the command says it itself', new QuorateError('AError', 'ERR_A', 'a'), 0],
    ['the command says another of the same name', new QuorateError('AError', 'ERR_A', 'b'), 1],
    ['the command says another', new QuorateError('BError', 'ERR_B', 'a'), 1],
    ['the command says nothing', undefined, 1]
  ])('holds back what ends the node; %s', (_, told, times) => {
    const { logger, text } = log(false)
    const words = new LastWords(logger)
    words.logger.error({ name: 'AError', code: 'ERR_A', message: 'a' }, 'the node stops')
    expect(text()).toBe('')
    for (const level of ['debug', 'info', 'warn', 'error'] as const) words.logger[level]({}, `a ${level}`)
    expect(text().match(/"msg":"a \w+"/g)).toHaveLength(4)
    words.end(told)
    words.end(told)
    expect(text().split('"msg":"the node stops"')).toHaveLength(1 + times)
  })

  it('keeps to its level', () => {
    const { logger, text } = log(false, 'warn')
    logger.info({}, 'no')
    logger.error({}, 'yes')
    expect(text()).not.toContain('"no"')
    expect(text()).toContain('"yes"')
    const silent = log(false, 'silent')
    silent.logger.error({}, 'yes')
    expect(silent.text()).toBe('')
  })

  it.each([false, true])('never holds a secret, wherever it was put (terminal: %s)', (tty) => {
    const { logger, text } = log(tty)
    const seed = new Uint8Array(32).fill(7)
    const error = new QuorateError('TestError', 'ERR_TEST', `cannot use ${CANARY}`, {
      details: { token: CANARY, where: { passphrase: CANARY } }
    })
    for (const details of [
      { token: CANARY },
      { deep: { er: [{ Seed: CANARY }] } },
      { seed, key: seed, any: seed },
      { text: `--token ${CANARY} --data x` },
      { error },
      { cause: new Error('outer', { cause: error }) },
      { secret: new Secret(new TextEncoder().encode(CANARY)) },
      { passphrase: 'correct horse' }
    ]) {
      logger.error(details, `while reading ${CANARY}`)
    }
    expect(text()).not.toContain('canary')
    expect(text()).not.toContain('correct horse')
    expect(text()).not.toContain('"7"')
    expect(text().match(/\[redacted\]/g)!.length).toBeGreaterThan(8)
  })

  it('leaves a static seed readable: it is an address', () => {
    expect(redact({ seed: '/ip4/10.0.0.1/tcp/1' })).toEqual({ seed: '/ip4/10.0.0.1/tcp/1' })
    expect(redact({ seed: 'host.example:4001', token: '/not/an/address'.slice(1) })).toEqual({
      seed: 'host.example:4001',
      token: '[redacted]'
    })
  })

  it('survives anything, rings included', () => {
    const ring: Record<string, unknown> = {}
    ring['self'] = ring
    expect(() => JSON.stringify(redact(ring))).not.toThrow()
    fc.assert(fc.property(fc.anything(), (value) => void redact(value)))
  })
})
