/** The page of `quorate simulate --report` in a real browser: it opens, moves, complains about nothing, and is fast enough. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { castOf, Recorder, reportPage, run } from '../../src/simulation/index.ts'
import { Browser, browserCommand } from './browser.ts'

const command = browserCommand()
const artifacts = new URL('../artifacts/', import.meta.url)

describe.skipIf(command === undefined)(
  `the report in a browser${command === undefined ? ' (none is installed)' : ''}`,
  () => {
    let browser: Browser
    let directory = ''

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'quorate-report-'))
      mkdirSync(artifacts, { recursive: true })
      browser = await Browser.launch(command!)
    })

    afterAll(async () => {
      await browser?.close()
      rmSync(directory, { recursive: true, force: true })
    })

    async function page(
      name: string,
      nodes: number,
      seed: number,
      seconds: number,
      only?: readonly 'P6'[]
    ): Promise<string> {
      const recorder = new Recorder()
      const cast = await castOf(nodes)
      const { virtualMs } = run({ cast, seed, seconds, recorder, ...(only === undefined ? {} : { only }) })
      const path = join(directory, `${name}.html`)
      writeFileSync(
        path,
        reportPage({ title: `seed ${seed}, ${nodes} voters`, recorder, virtualMs, replay: 'quorate simulate' })
      )
      return pathToFileURL(path).href
    }

    const clock = async (): Promise<number> =>
      Number.parseFloat(String(await browser.ask("document.getElementById('clock').textContent")))

    it('opens, steps through events by keyboard, plays and zooms, in light and in dark', async () => {
      const url = await page('drawn', 5, 123, 15)
      for (const dark of [false, true]) {
        await browser.open(url, { dark })
        expect(await browser.ask('document.title')).toContain('quorate simulate')
        writeFileSync(
          new URL(`simulation-report-${dark ? 'dark' : 'light'}.png`, artifacts),
          await browser.screenshot()
        )
        const begun = await clock()
        await browser.press('ArrowRight')
        const stepped = await clock()
        expect(stepped).toBeGreaterThan(begun)
        await browser.press('ArrowLeft')
        expect(await clock()).toBeLessThan(stepped)
        await browser.press('0')
        await browser.press('m')
        expect(await browser.ask("document.getElementById('frames').getAttribute('aria-pressed')")).toBe('false')
        await browser.press(' ')
        await browser.frames(5)
        expect(await browser.ask("document.getElementById('play').textContent")).toBe('Pause')
        await browser.press(' ')
        await browser.press('End')
        expect(await clock()).toBeGreaterThan(14)
        writeFileSync(
          new URL(`simulation-report-all-${dark ? 'dark' : 'light'}.png`, artifacts),
          await browser.screenshot()
        )
      }
      expect(browser.complaints).toEqual([])
    })

    it('shows the broken invariant first', async () => {
      await browser.open(await page('broken', 3, 1, 8, ['P6']))
      expect(await browser.ask("document.querySelector('.verdict').textContent")).toContain('is broken at')
      expect(await browser.ask("document.querySelectorAll('#story li.bad').length")).toBeGreaterThan(0)
      writeFileSync(new URL('simulation-report-broken.png', artifacts), await browser.screenshot())
      expect(browser.complaints).toEqual([])
    })

    it('draws ten thousand frames within a blink', async () => {
      await browser.open(await page('long', 5, 1, 80))
      const { frames } = (await browser.ask('window.reportReady')) as { frames: number }
      expect(frames).toBeGreaterThan(10_000)
      await browser.press('0')
      for (const chip of ['0', '1', '2', '3'])
        await browser.ask(`document.querySelectorAll('#chips .chip')[${chip}].click()`)
      const ms = (await browser.ask(
        '(() => { const begun = performance.now(); paint(); return performance.now() - begun })()'
      )) as number
      // A browser without a graphics card on a busy machine; on a desk it is a few milliseconds.
      expect(ms).toBeLessThan(1_000)
      expect(browser.complaints).toEqual([])
    })
  }
)
