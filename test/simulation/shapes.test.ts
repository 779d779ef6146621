/** What V8 makes of a field is not visible in the language: its own test functions say whether two objects still have one shape. */
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { expect, it } from 'vitest'
import { loosenShapes } from '../../src/simulation/shapes.ts'

setFlagsFromString('--allow-natives-syntax')
const haveOneShape = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (a: object, b: object) => boolean
// Functions are compiled at their first call, and that needs the flag as well.
haveOneShape({}, {})
setFlagsFromString('--no-allow-natives-syntax')

const strict = (number: number) => ({ kind: 'strict', number })
const loose = (number: number) => ({ kind: 'loose', number, another: 0 })

it('an enormous number changes a shape, and none that was loosened', () => {
  const smallStrict = strict(1)
  strict(Number.MAX_SAFE_INTEGER)
  expect(haveOneShape(smallStrict, strict(2))).toBe(false)

  loosenShapes([loose(1)])
  const smallLoose = loose(1)
  const large = loose(Number.MAX_SAFE_INTEGER)
  expect(haveOneShape(smallLoose, large)).toBe(true)
  expect(haveOneShape(smallLoose, loose(2))).toBe(true)
})
