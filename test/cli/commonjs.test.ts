/** What `npm run build` makes of the bundler's files, so that src/cli/compiled.ts can load them. */
import { Script } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { asCommonJs } from '../../scripts/commonjs.ts'
import { wrapped } from '../../src/cli/compiled.ts'

type Wrapped = (exports: object, require: (name: string) => object, module: object, filename: string) => void

/** Runs it with these neighbours, as the loader does. */
function run(code: string, neighbours: Readonly<Record<string, object>> = {}): Readonly<Record<string, unknown>> {
  const exports = {}
  const evaluated = new Script(wrapped(asCommonJs(code, 'part.js'))).runInThisContext() as Wrapped
  evaluated(exports, (name) => neighbours[name]!, {}, '/somewhere/part.js')
  return exports
}

describe('a file of the bundle', () => {
  it('takes names and gives names, under others', () => {
    const code = `import{a as one,two}from"./x.js";import"./y.js";const sum=one+two;function f(){return sum}export{f as g,sum};`
    const { g, sum } = run(code, { './x.js': { a: 1, two: 2 }, './y.js': {} })
    expect([(g as () => number)(), sum]).toEqual([3, 3])
  })

  it('takes modules of Node.js from Node.js, and others when they are asked for', async () => {
    const code = 'import{join as j}from"node:path";const later=()=>import(`./x.js`);export{j,later};'
    const { j, later } = run(code, { './x.js': { x: 1 } })
    expect((j as (...parts: string[]) => string)('a', 'b')).toMatch(/^a.b$/)
    expect(await (later as () => Promise<object>)()).toEqual({ x: 1 })
  })

  it('is strict, and knows where it is', () => {
    const { url, self } = run('const url=import.meta.url;const self=(function(){return this})();export{url,self};')
    expect([url, self]).toEqual(['file:///somewhere/part.js', undefined])
  })

  it.each([
    ['import x from"./x.js";', 'imports more than names'],
    ['import*as x from"./x.js";', 'imports more than names'],
    ['export const x=1;', 'exports more than names'],
    ['export{x}from"./x.js";', 'exports more than names'],
    ['export default 1;', 'ExportDefaultDeclaration'],
    ['export*from"./x.js";', 'ExportAllDeclaration'],
    ['let x=1;const f=()=>{x=2};export{x,f};', 'x is exported and changes'],
    ['let x=1;const f=()=>x++;export{x,f};', 'x is exported and changes'],
    ['const f=(name)=>import(name);export{f};', 'only known when it is needed']
  ])('is refused where another file would see something else: %s', (code, why) => {
    expect(() => asCommonJs(code, 'part.js')).toThrow(why)
  })

  it('may change what it keeps, and what only has the name of what it gives', () => {
    const code = 'let own=1;const x=1;const f=(x)=>{x=2;own=3;return x+own};export{x,f};'
    expect((run(code)['f'] as (x: number) => number)(1)).toBe(5)
  })
})
