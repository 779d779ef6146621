/**
 * The command on a machine where multicast seems to work and does not: a node that is to look by mDNS says so and finds
 * nobody. Everything else is the command itself.
 */
if (process.argv.includes('--interface')) {
  const stamp = { at: performance.timeOrigin + performance.now(), node: 'nobody', cluster: null, attempt: 1 }
  process.stdout.write(
    `${JSON.stringify({ event: 'alarm', code: 'multicast-blocked', detail: 'no echo', ...stamp })}\n`
  )
  const end = (): void => process.exit(0)
  process.on('SIGTERM', end)
  process.stdin.on('end', end).resume()
} else await import('../../src/cli/main.ts')
