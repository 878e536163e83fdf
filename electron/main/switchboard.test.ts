import { writeFile, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { Switchboard } from './switchboard.ts'

it('starts processes of the engine only, whoever asks', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-switch-'))
  const asker = join(folder, 'asker.mjs')
  const entries = ['file:///bin/sh', `${pathToFileURL(folder).href}/asker.mjs`, `${pathToFileURL(folder).href}/engine/jobs/../../bad/xProcess.js`, `${pathToFileURL(folder).href}/engine/jobs/%2e%2e/xProcess.js`, `${pathToFileURL(folder).href}/../bad/engine/jobs/xProcess.js`, `${pathToFileURL(folder).href}/%2e%2e/bad/engine/jobs/xProcess.js`, 'file:///engine/jobs/xProcess.js']
  await writeFile(asker, `process.parentPort.on('message', ({ data }) => process.parentPort.postMessage({ up: data.down ?? data }))\n${entries.map((entry, i) => `process.parentPort.postMessage({ launch: ${i}, entry: ${JSON.stringify(entry)} })`).join('\n')}\nprocess.parentPort.postMessage('no message')`)
  const switchboard = new Switchboard(`${pathToFileURL(folder).href}/`)
  const answers: unknown[] = []
  await new Promise<void>((resolve) => {
    const { kill } = switchboard.start(pathToFileURL(asker), [], {
      onMessage: (message) => {
        answers.push(message)
        if (answers.length === entries.length) kill()
      },
      onEnd: () => resolve(),
    })
  })
  expect(answers).toEqual(entries.map((entry, i) => ({ ended: i, how: `a refusal: ${entry} is no process of the engine` })))
})
