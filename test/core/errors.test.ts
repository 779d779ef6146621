import { describe, expect, it } from 'vitest'
import { InvalidOptionError, messageOf, QuorateError } from '../../src/core/errors.ts'
import { invariant, InvariantError, unreachable } from '../../src/core/invariant.ts'

describe('QuorateError', () => {
  const cause = new Error('disk')
  const error = new QuorateError('DiskFullError', 'ERR_DISK_FULL', 'no room', {
    details: { freeBytes: 0 },
    nextStep: 'Make room.',
    cause
  })

  it('carries name, code, values, next step and cause', () => {
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'DiskFullError',
      code: 'ERR_DISK_FULL',
      message: 'no room',
      details: { freeBytes: 0 },
      nextStep: 'Make room.',
      cause
    })
    expect(String(error)).toBe('DiskFullError: no room')
  })

  it('crosses a socket without stack and cause', () => {
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'DiskFullError',
      code: 'ERR_DISK_FULL',
      message: 'no room',
      details: { freeBytes: 0 },
      nextStep: 'Make room.'
    })
    expect(JSON.parse(JSON.stringify(new QuorateError('AError', 'ERR_A', 'no')))).toEqual({
      name: 'AError',
      code: 'ERR_A',
      message: 'no',
      details: {}
    })
  })

  it('has no cause when none was given', () => {
    expect(Object.hasOwn(new InvalidOptionError('no'), 'cause')).toBe(false)
  })
})

describe('invariants', () => {
  it('are silent when they hold and name the bug when they do not', () => {
    invariant(true, 'never')
    invariant(1, () => expect.unreachable())
    expect(() => invariant(false, 'two leaders')).toThrow(InvariantError)
    expect(() => invariant(0, () => 'made late')).toThrow('bug in quorate: made late')
    expect(() => unreachable('x' as never)).toThrow('bug in quorate: unexpected value "x"')
  })

  it('are no operating failure: nobody handles them by accident', () => {
    expect(new InvariantError('x')).not.toBeInstanceOf(QuorateError)
  })
})

it('messageOf reads anything that was thrown', () => {
  expect([new Error('a'), 'b', 3, undefined].map(messageOf)).toEqual(['a', 'b', '3', 'undefined'])
})
