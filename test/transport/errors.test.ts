import { describe, expect, it } from 'vitest'
import { ListenFailedError } from '../../src/transport/errors.ts'

/** As libp2p tells it. */
const told = (...lines: readonly string[]): Error =>
  new Error(
    `Some configured addresses failed to be listened on, you may need to remove one or more listen addresses:\n${lines
      .map((line) => `\n  ${line}\n      at Server.setupListenHandle [as _listen2] (node:net:2328:16)\n`)
      .join('')}`
  )

describe('an address that cannot be bound', () => {
  it.each([
    ['Error: listen EADDRINUSE: address already in use 127.0.0.1:1', 'the port is in use', 'Choose another port'],
    ['Error: listen EADDRNOTAVAIL: no', 'this machine does not have that address', 'Choose an address of this machine'],
    ['Error: listen EACCES: no', 'permission denied', 'Choose a port from 1024 on'],
    ['Error: out of luck', 'Error: out of luck', 'Choose a free port']
  ])('%s is told in our words, without a stack', (text, why, nextStep) => {
    const { message, nextStep: next } = new ListenFailedError(
      ['/ip4/1.2.3.4/tcp/1'],
      told(`/ip4/1.2.3.4/tcp/1: ${text}`)
    )
    expect(message).toBe(`cannot listen on /ip4/1.2.3.4/tcp/1: ${why}`)
    expect(next).toContain(nextStep)
  })

  it('is named alone among several, and where only the system speaks', () => {
    const [a, b, c] = ['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/2', '/ip4/9.9.9.9/tcp/3']
    const cause = told(`${b}: Error: listen EADDRINUSE: in use`, `${c}: Error: listen EADDRNOTAVAIL: no`)
    expect(new ListenFailedError([a, b, c], cause).message).toBe(
      `cannot listen on ${b}: the port is in use, ${c}: this machine does not have that address`
    )
    const plain = new ListenFailedError(['/run/a'], new Error('listen EADDRINUSE: address already in use /run/a'))
    expect(plain.message).toBe('cannot listen on /run/a: the port is in use')
  })
})
