/** A headless Chromium over its debugging protocol: enough to open a page, press keys, ask the page and take a picture. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** The command of an installed browser; undefined when there is none. */
export const browserCommand = (): string | undefined =>
  NAMES.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)

interface Reply {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

const START_MS = 30_000

export class Browser {
  /** What the page complained about: exceptions, console errors, refused loads. */
  readonly complaints: string[] = []
  readonly #child: ChildProcess
  readonly #profile: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<
    number,
    { resolve: (value: Record<string, unknown>) => void; reject: (e: Error) => void }
  >()
  readonly #events = new Map<string, () => void>()
  #session = ''
  #id = 0

  private constructor(child: ChildProcess, profile: string, socket: WebSocket) {
    this.#child = child
    this.#profile = profile
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Reply))
  }

  static async launch(command: string): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'quorate-browser-'))
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--no-first-run']
    const child = spawn(command, [...flags, `--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe']
    })
    const url = await new Promise<string>((resolve, reject) => {
      let text = ''
      const late = setTimeout(() => reject(new Error(`no browser within ${START_MS} ms: ${text}`)), START_MS)
      child.once('exit', () => reject(new Error(`the browser ended: ${text}`)))
      child.stderr.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        const found = /DevTools listening on (ws:\S+)/.exec(text)
        if (found === null) return
        clearTimeout(late)
        resolve(found[1]!)
      })
    })
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true })
      socket.addEventListener('error', reject, { once: true })
    })
    const browser = new Browser(child, profile, socket)
    await browser.#attach()
    return browser
  }

  async #attach(): Promise<void> {
    const { targetId } = await this.#send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.#send('Target.attachToTarget', { targetId, flatten: true })
    this.#session = sessionId as string
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.#send(`${domain}.enable`)
  }

  #hear({ id, method, params, result, error }: Reply): void {
    if (id !== undefined) {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(result ?? {})
      else waiting?.reject(new Error(error.message))
      return
    }
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded')
      this.complaints.push(JSON.stringify(params))
    if (method === 'Runtime.consoleAPICalled' && params?.['type'] === 'error')
      this.complaints.push(JSON.stringify(params))
    if (method === 'Network.requestWillBeSent') this.#requested(params?.['request'] as { url: string } | undefined)
    this.#events.get(method ?? '')?.()
  }

  #requested(request: { readonly url: string } | undefined): void {
    const url = request?.url ?? ''
    if (!/^(?:file|data|about|blob):/.test(url)) this.complaints.push(`it asks for ${url}`)
  }

  #send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#id
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#socket.send(
        JSON.stringify({ id, method, params, ...(this.#session === '' ? {} : { sessionId: this.#session }) })
      )
    })
  }

  async open(url: string, { width = 1440, height = 900, dark = false } = {}): Promise<void> {
    await this.#send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]
    await this.#send('Emulation.setEmulatedMedia', { features })
    const loaded = new Promise<void>((resolve) => this.#events.set('Page.loadEventFired', resolve))
    await this.#send('Page.navigate', { url })
    await loaded
    await this.frames(2)
  }

  /** Lets the page draw. */
  async frames(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.ask('new Promise((done) => requestAnimationFrame(() => done(1)))')
  }

  /** The value of an expression in the page. */
  async ask(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true
    })
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
    return (result as { value?: unknown }).value
  }

  async press(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : {}
    await this.#send('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text })
    await this.#send('Input.dispatchKeyEvent', { type: 'keyUp', key })
    await this.frames(2)
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(data as string, 'base64')
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#socket.close()
    this.#child.kill()
    await ended
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}
