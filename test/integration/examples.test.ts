/** The examples are what people paste: each runs as its own process and says what it claims. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { founding, PATIENCE_MS, Yard } from './processes.ts'

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url))

interface Run {
  readonly code: number | null
  readonly output: string
}

function start(
  name: string,
  words: readonly string[] = []
): { done: Promise<Run>; said(text: string): Promise<void>; end(): void } {
  const child = spawn(process.execPath, [example(name), ...words], { stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  const watchers = new Set<() => void>()
  const read = (text: string): void => {
    output += text
    for (const watcher of [...watchers]) watcher()
  }
  child.stdout.setEncoding('utf8').on('data', read)
  child.stderr.setEncoding('utf8').on('data', read)
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  const done = new Promise<Run>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      read('')
      resolve({ code, output })
    })
  })
  const said = async (text: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (): void => {
      if (output.includes(text)) resolve()
    }
    watchers.add(look)
    look()
    const ended = done.then(({ output: all }) => {
      if (!all.includes(text)) throw new Error(`${name} never said ${text}:\n${all}`)
    })
    await Promise.race([promise, ended])
    watchers.delete(look)
  }
  return { done, said, end: () => child.stdin.end() }
}

describe('examples', () => {
  for (const name of ['static-seeds', 'mdns', 'libp2p-service']) {
    it(`${name} forms one cluster`, async () => {
      const { code, output } = await start(name).done
      expect(output).toContain('one cluster: true')
      expect(output).not.toContain('false')
      expect(code, output).toBe(0)
    })
  }

  it('local-cluster: a test of a program, in one process', async () => {
    const { code, output } = await start('local-cluster').done
    expect(output).toMatch(/^. pass 2$/m)
    expect(code, output).toBe(0)
  })

  it('simulate-scale: thirty machines join', async () => {
    const { code, output } = await start('simulate-scale', ['30']).done
    expect(output).toMatch(/30 machines: founded after \d+ ms, all joined after \d+ ms/)
    expect(output).toContain('every invariant held: true')
    expect(code, output).toBe(0)
  })

  it('embed: three programs with a token each agree on one config', async () => {
    const yard = await Yard.open()
    try {
      const { tokens } = await founding('embed', 3)
      const programs = tokens.map((token, i) => start('embed', [token, yard.data(`n${i}`)]))
      // Whoever is still asking when two of three have gone would wait for a quorum that cannot come.
      await Promise.all(programs.flatMap(({ said }) => [said('config 2 by'), said('Ctrl-D')]))
      for (const { end } of programs) end()
      for (const { done } of programs) expect((await done).code).toBe(0)
    } finally {
      await yard.close()
    }
  })
})
