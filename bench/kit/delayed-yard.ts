/** A yard whose nodes reach each other through a delaying proxy; see proxy-child.ts. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { killAll } from './children.ts'
import type { ProxyOrder } from './proxy-child.ts'
import { Yard, type YardInit } from './yard.ts'

export const hookPath = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Far above the ports of the nodes, and below those that the system gives away. */
const PROXY_PORTS_ABOVE = 100

export interface DelayedYard {
  readonly yard: Yard
  close(): Promise<void>
}

/** `delayMs`: one way, uniform between these. The yard is prepared, and nothing is started. */
export async function delayedYard(init: YardInit, delayMs: ProxyOrder['delayMs']): Promise<DelayedYard> {
  const yard = new Yard({
    ...init,
    hooks: [hookPath('proxy-hook.ts'), ...(init.hooks ?? [])],
    env: ({ ports }) => ({
      ...init.env?.({ ports }),
      QUORATE_BENCH_ROUTES: JSON.stringify(Object.fromEntries(ports.map((port) => [port, port + PROXY_PORTS_ABOVE])))
    })
  })
  const order: ProxyOrder = { routes: yard.ports.map((port) => [port + PROXY_PORTS_ABOVE, port]), delayMs }
  const proxy: ChildProcess = fork(fileURLToPath(new URL('proxy-child.ts', import.meta.url)), [JSON.stringify(order)])
  await once(proxy, 'message')
  await yard.prepare()
  return {
    yard,
    close: async () => {
      await yard.close()
      await killAll([proxy])
    }
  }
}
