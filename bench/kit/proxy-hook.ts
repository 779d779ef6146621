/**
 * Loaded into a node with `--import`: it dials its peers through a delaying proxy, whatever address it has learnt. The routes are
 * in the environment: a JSON object from the port that is meant to the port that is dialled.
 */
import net, { type NetConnectOpts, type TcpNetConnectOpts } from 'node:net'

const routes = JSON.parse(process.env['QUORATE_BENCH_ROUTES'] ?? '{}') as Readonly<Record<string, number>>
const connect = net.connect as (options: NetConnectOpts, listener?: () => void) => net.Socket

net.connect = ((options: TcpNetConnectOpts, listener?: () => void) => {
  const port = routes[String(options.port)]
  return connect(port === undefined ? options : { ...options, port }, listener)
}) as typeof net.connect
