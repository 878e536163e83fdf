import * as electron from 'electron'
import { expect, it } from 'vitest'
import { channels, type DesktopBridge } from '../../engine/contract/index.ts'
import type * as Fake from '../testing/electron.ts'

const { contextBridge, ipcRenderer } = electron as unknown as typeof Fake

it('gives the page a transport and nothing more, and takes paths only from files that were dropped', async () => {
  await import('./index.ts')
  expect(Object.keys(contextBridge.exposed)).toEqual(['desktop'])
  const bridge = contextBridge.exposed.desktop as DesktopBridge
  expect(Object.keys(bridge).sort()).toEqual(['ask', 'onConnection', 'onMessage', 'onPlace', 'pathOf', 'pick', 'reveal'])

  await bridge.ask({ ask: 3, request: 'library', args: {}, extra: 'left out' } as never)
  await bridge.pick('model')
  await bridge.pathOf({ path: '/picked' })
  await bridge.pathOf('/made/up' as never)
  expect(ipcRenderer.invoked).toEqual([
    [channels.ask, { ask: 3, request: 'library', args: {} }],
    [channels.pick, 'model'],
    [channels.dropped, '/picked'],
    [channels.dropped, ''],
  ])

  const heard: unknown[] = []
  bridge.onMessage((message) => heard.push(message))
  bridge.onConnection((connected) => heard.push(connected))
  ipcRenderer.emit(channels.message, { sender: 'not for the page' }, { answer: 1, result: 2 })
  ipcRenderer.emit(channels.connection, {}, false)
  expect(heard).toEqual([{ answer: 1, result: 2 }, false])
})
